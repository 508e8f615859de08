"""A mistake in rules.yaml in our own words: what Pydantic says of it is about Python, and not about the file."""

from collections.abc import Mapping
from reprlib import repr as short_repr
from typing import Any

_TEXT, _NAME = "write text, in quotes where it looks like something else", "write a name"
_MAPPING, _LIST = "write keys with their values, such as KEY: VALUE", "write a list, such as [A, B]"
_NUMBER, _WHOLE = "write a number", "write a whole number"
_INSTEAD = {
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "string_sub_type": _TEXT,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "literal_error": "write {expected}",
    "string_too_short": "write something",
    "string_too_long": "write at most {max_length} characters",
    "too_short": "list at least {min_length}",
    "too_long": "list at most {max_length}",
    "greater_than": "write more than {gt}",
    "greater_than_equal": "write {ge} or more",
    "less_than": "write less than {lt}",
    "less_than_equal": "write {le} or less",
}
"""What to write instead, by the kind of a mistake."""


def in_our_words(detail: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, from what Pydantic says of it."""
    kind, context = detail["type"], detail.get("ctx", {})
    match kind:
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "union_tag_not_found" | "union_tag_invalid":
            return "a rule has exactly one of exclusive, at_most (with of), careful and alternate"
        case "string_pattern_mismatch" if context["pattern"].startswith("^http"):
            instead = "write an address such as http://127.0.0.1:11434"
        case "string_pattern_mismatch":
            instead = "write a name: it begins with a letter or digit, and has no spaces"
        case _:
            instead = _INSTEAD.get(kind, "write something else").format_map(context)
    return f"{instead}, not {short_repr(detail['input'])}"
