"""As much of JSON Schema as the schema of rules.yaml uses; a keyword that is not known here is an error."""

import re
from collections.abc import Callable, Mapping
from typing import Any

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_OF_TEXT: Mapping[str, Callable[[Any, str], bool]] = {
    "pattern": lambda said, value: re.search(said, value) is not None,
    "minLength": lambda said, value: len(value) >= said,
    "maxLength": lambda said, value: len(value) <= said,
}
_OF_NUMBER: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": lambda said, value: value >= said,
    "maximum": lambda said, value: value <= said,
    "exclusiveMinimum": lambda said, value: value > said,
}
_SAYS_NOTHING = {"$schema", "$defs", "description", "default"}


def accepts(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any] | None = None) -> bool:
    """Whether a value follows a schema."""
    known = schema if root is None else root

    def follows(schema: Mapping[str, Any], value: Any) -> bool:
        return accepts(schema, value, known)

    kept: dict[str, Callable[[Any], bool]] = {
        "$ref": lambda said: follows(known["$defs"][said.rpartition("/")[2]], value),
        "type": lambda said: any(_KINDS[kind](value) for kind in ([said] if isinstance(said, str) else said)),
        "anyOf": lambda said: any(follows(one, value) for one in said),
        "oneOf": lambda said: sum(follows(one, value) for one in said) == 1,
        "enum": lambda said: value in said,
        **{key: _only(isinstance(value, str), met, value) for key, met in _OF_TEXT.items()},
        **{key: _only(_KINDS["number"](value), met, value) for key, met in _OF_NUMBER.items()},
        **_of_list(value if isinstance(value, list) else [], isinstance(value, list), follows),
        **_of_mapping(value if isinstance(value, dict) else None, schema, follows),
    }
    return all(kept[key](said) for key, said in schema.items() if key not in _SAYS_NOTHING)


Follows = Callable[[Mapping[str, Any], Any], bool]


def _only(concerned: bool, met: Callable[[Any, Any], bool], value: Any) -> Callable[[Any], bool]:
    return lambda said: not concerned or met(said, value)


def _of_list(value: list[Any], is_one: bool, follows: Follows) -> dict[str, Callable[[Any], bool]]:
    return {
        "items": lambda said: all(follows(said, one) for one in value),
        "minItems": lambda said: not is_one or len(value) >= said,
    }


def _of_mapping(value: dict[str, Any] | None, schema: Mapping[str, Any], follows: Follows) -> dict[str, Callable[[Any], bool]]:
    there = value or {}
    others = [one for name, one in there.items() if name not in schema.get("properties", {})]
    return {
        "required": lambda said: value is None or set(said) <= there.keys(),
        "properties": lambda said: all(follows(one, there[name]) for name, one in said.items() if name in there),
        "additionalProperties": lambda said: not others if said is False else all(follows(said, one) for one in others),
        "patternProperties": lambda said: all(
            follows(one, there[name]) for pattern, one in said.items() for name in there if re.search(pattern, name)
        ),
        "propertyNames": lambda said: all(follows(said, name) for name in there),
        "dependentRequired": lambda said: all(set(also) <= there.keys() for name, also in said.items() if name in there),
    }
