"""Sizes of memory: bytes inside, written with a unit outside. One GB is 10^9 bytes, one GiB 2^30."""

import re
from fractions import Fraction
from reprlib import repr as short_repr
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

GB = 10**9

_UNITS = {"MB": 10**6, "GB": GB, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = re.compile(rf"\s*(\d{{1,9}}(?:\.\d{{1,9}})?)\s*({'|'.join(_UNITS)})\s*", re.ASCII)


def parse_size(text: object) -> int:
    """Return the bytes of a size such as `8GB` or `7.5GiB`.

    Raises ValueError when it is not text, has no unit, or is negative: a bare number could mean anything.
    """
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'write a size with its unit, such as "8GB" or "7.5GiB", not {short_repr(text)}')
    return round(Fraction(match[1]) * _UNITS[match[2]])


def gb(size: int) -> float:
    """Return bytes as GB, rounded to the nearest MB, for people and JSON."""
    return round(size / GB, 3)


def gb_text(size: int) -> str:
    """Write bytes as people read them: `12.0 GB`."""
    return f"{size / GB:.1f} GB"


def size_text(size: int) -> str:
    """Write bytes as rules.yaml has them, to the byte: `7.5GB`."""
    whole, rest = divmod(size, GB)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".") + "GB"


def _scaled(text: object, info: ValidationInfo) -> int:
    return round(parse_size(text) * Fraction((info.context or {}).get("scale", 1)))


_WRITTEN = f"^{_SIZE.pattern}$".replace("(?:", "(")

Size = Annotated[
    int,
    BeforeValidator(_scaled),
    PlainSerializer(size_text, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _WRITTEN}),
]
"""A field of rules.yaml: bytes, written with a unit, times the `scale` of the validation's context."""


def _scaled_or_auto(text: object, info: ValidationInfo) -> int | str:
    return "auto" if text == "auto" else _scaled(text, info)


SizeOrAuto = Annotated[
    Literal["auto"] | int,
    BeforeValidator(_scaled_or_auto),
    PlainSerializer(lambda size: size if size == "auto" else size_text(size), when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"{_WRITTEN}|^auto$"}),
]
"""A `Size`, or `auto` for what only the machine can tell."""
