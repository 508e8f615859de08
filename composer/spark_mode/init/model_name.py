"""How large a model is, as far as its name tells: parameters times bits."""

import re

from spark_mode.init.tables import BITS, OLLAMA_BITS, OLLAMA_LATEST, PLAIN_BITS, found
from spark_mode.lab.workload import LONGEST_NAME

_EXPERTS = re.compile(r"(?<![a-z0-9.])(\d{1,3})x(\d{1,4}(?:\.\d{1,3})?)b(?![a-z0-9])", re.IGNORECASE)
_PARAMETERS = re.compile(r"(?<![a-z0-9.])(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])", re.IGNORECASE)
_LEAST_MILLIONS = 20
"""`1M` in a name is a length of context."""
_ON_HUGGING_FACE = r"(?:hf|huggingface)\.co/[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
_IN_LIBRARY = r"(?:[a-z0-9][a-z0-9._-]*/)*[a-z0-9][a-z0-9._-]*"
_TAG = r":(?!\d+$)[A-Za-z0-9][A-Za-z0-9._-]*"
OLLAMA_NAME = re.compile(rf"(?=.{{1,{LONGEST_NAME}}}$)(?:{_ON_HUGGING_FACE}|{_IN_LIBRARY})(?:{_TAG})?")
"""A model that Ollama fetches: of its own library, in small letters, or of Hugging Face; it is to be a name in rules.yaml.

`ollama:11434` is an address.
"""


def parameters(name: str) -> float | None:
    """Return the billions of parameters that a name tells of, all experts counted; None where it tells of none.

    In `30B-A3B` the second is what is active at once, and in `E2B` what it amounts to: neither is what is loaded.
    """
    told = [float(count) * float(size) for count, size in _EXPERTS.findall(name)]
    for number, unit in _PARAMETERS.findall(name):
        if unit in "bB":
            told.append(float(number))
        elif float(number) >= _LEAST_MILLIONS:
            told.append(float(number) / 1000)
    return max(filter(None, told), default=None)


def bits(name: str, plain: float = PLAIN_BITS) -> float:
    """Return the bits of a parameter by the name of a model; `plain` where it tells of no precision."""
    return next((size for pattern, size, _ in BITS if found(pattern, name)), plain)


def weights(name: str) -> int | None:
    """Return the bytes that a model weighs by its name, or None."""
    told = parameters(name)
    return None if told is None else round(told * 10**9 * bits(name) / 8)


def ollama_weights(name: str) -> int | None:
    """Return the bytes of a model of Ollama by its name: what has no size in it is what the library serves under that name."""
    base, _, tag = name.rpartition("/")[2].partition(":")
    told = parameters(tag) or (OLLAMA_LATEST.get(base) if tag in ("", "latest") else None) or parameters(base)
    sixteen = 16.0 if re.search(r"(fp|bf|f)16", tag) else OLLAMA_BITS
    return None if told is None else round(told * 10**9 * bits(tag, sixteen) / 8)


def is_ollama_model(text: str) -> bool:
    """Whether a setting is the name of a model of Ollama: it has a tag or a place, or the library is known to serve it."""
    sure = ":" in text or text in OLLAMA_LATEST or re.match(_ON_HUGGING_FACE, text) is not None
    return sure and OLLAMA_NAME.fullmatch(text) is not None
