"""What a rules file may leave out, and what holds then: the figures of the shipped file, or what follows from what is there.

It works on the plain data of a document before that is validated. What has not the form it should have is left as it is, for
the validation to tell.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

from spark_mode.lab.size import GB, parse_size, size_text
from spark_mode.lab.suggestion import nearest
from spark_mode.lab.workload import LONGEST_NAME, NAME

HARDWARE = {"name": "this machine", "capacity": "auto"}
SHIPPED_CAPACITY = 128 * GB
LIMITS = {"fits_easily": 25 * GB, "fits": 80 * GB, "tight": 100 * GB, "headroom": 20 * GB, "floor": 10 * GB}
"""The shipped file's, for its capacity; for another one they are in proportion to it."""
RELEASE = {"release_seconds": 120}
BURST = {"cuda_context": {"low": "0.5GB", "high": "1GB"}, "kv_cache": {"low": "1GB", "high": "8GB"}}
OVERHEAD = {"system": "2GB", "per_class": "2GB", "burst": BURST}
FILLED_IN = {
    "Rules": {"hardware", "limits", "overhead", "classes"},
    "Hardware": {*HARDWARE},
    "Limits": {*LIMITS},
    "Overhead": {*OVERHEAD},
    "Burst": {*BURST},
    "WorkloadClass": {"description"},
    "Workload": {"class"},
    **{kind: {"name", "because"} for kind in ("Exclusive", "AtMost", "Careful", "Alternate")},
}
"""The keys of each model that a file may leave out although the model needs them."""
_RISING = ("fits_easily", "fits", "tight")
_MISTYPED = 0.8
"""How alike two names of classes are of which the one is taken for a mistake, and for no class of its own."""
_SAYS_WHAT = {"service", "model", "outside", "command"}
"""The keys that say what a workload is."""


class Completed(NamedTuple):
    """A document with what it left out, and what that is, in words, by the section where it belongs."""

    data: dict[str, Any]
    assumed: dict[str, str]


_Filled = tuple[Any, str] | None
"""A section with what was left out of it, and that in words; None where it is whole, or not of the form it should have."""


def complete(data: Mapping[str, Any], machine_memory: Callable[[], int | None], scale: Fraction) -> Completed:
    """Return the document whole, with sizes that are not yet multiplied by `scale`.

    The machine is asked for its memory in bytes only where limits follow from it; where it does not tell, they are the shipped.
    """
    whole, assumed = dict(data), dict[str, str]()
    limits = partial(_limits, machine_memory=lambda: Fraction(machine_memory() or SHIPPED_CAPACITY * scale) / scale)
    sections: dict[str, Callable[[Mapping[str, Any], Any], _Filled]] = {
        "hardware": lambda _, given: _with(given, HARDWARE),
        "limits": limits,
        "overhead": _overhead,
        "workloads": _workloads,
        "classes": _classes,
        "rules": _rules,
        "modes": _modes,
    }
    for section, fill in sections.items():
        if filled := fill(whole, whole.get(section)):
            whole[section], assumed[section] = filled
    return Completed(whole, {section: words for section, words in assumed.items() if words})


def _with(given: Any, defaults: Mapping[str, Any]) -> _Filled:
    """Return a mapping with the defaults that it lacks; nothing at all is an empty one."""
    if not isinstance(given, dict | None):
        return None
    missing = {key: value for key, value in defaults.items() if key not in (given or {})}
    words = ", ".join(f"{key} {value}".replace("'", "") for key, value in missing.items())
    return ({**missing, **(given or {})}, words) if missing else None


def _limits(whole: Mapping[str, Any], given: Any, machine_memory: Callable[[], Fraction]) -> _Filled:
    """Limits in proportion to the capacity, as far as those that are given let them rise."""
    if not isinstance(given, dict | None) or not LIMITS.keys() - (given or {}).keys():
        return _with(given, RELEASE)
    declared = whole["hardware"].get("capacity") if isinstance(whole["hardware"], dict) else None
    capacity = machine_memory() if declared == "auto" else Fraction(_size(declared) or SHIPPED_CAPACITY)
    exactly = 10**6 if capacity > GB else 1
    share = {key: int(size * capacity / SHIPPED_CAPACITY / exactly) * exactly for key, size in LIMITS.items()}
    said = {key: size for key, text in (given or {}).items() if (size := _size(text)) is not None}
    rising = [said.get(key) for key in _RISING]
    for place, key in enumerate(_RISING):
        least = max([share[key], *(one for one in rising[:place] if one is not None)])
        share[key] = min([least, *(one for one in rising[place:] if one is not None)])
    share["headroom"] = max(share["headroom"], 2 * said.get("floor", 0))
    share["floor"] = min(share["floor"], said.get("headroom", share["headroom"]) // 2)
    return _with(given, {key: size_text(size) for key, size in share.items()} | RELEASE)


def _size(text: object) -> int | None:
    try:
        return parse_size(text)
    except ValueError:
        return None


def _overhead(_: Mapping[str, Any], given: Any) -> _Filled:
    if isinstance(given, dict):
        given = {key: "0GB" if key in OVERHEAD and _is_zero(one) else one for key, one in given.items()}
    filled = _with(given, OVERHEAD) or (given, "")
    if isinstance(given, dict) and isinstance(given.get("burst"), dict) and (burst := _with(given["burst"], BURST)):
        return {**filled[0], "burst": burst[0]}, ", ".join(filter(None, (filled[1], f"burst with {burst[1]}")))
    return filled


def _classes(whole: Mapping[str, Any], given: Any) -> _Filled:
    """The classes that workloads use, beside those that are there; what is almost the name of one of these is a mistake."""
    if not isinstance(given, dict | None):
        return None
    written = {name: {} if entry is None else entry for name, entry in (given or {}).items()}
    used = dict.fromkeys(one["class"] for _, one in _entries(whole.get("workloads")) if _is_name(one.get("class")))
    added = [name for name in used if name not in written and not nearest(name, written, _MISTYPED)]
    described = {
        name: {"description": name, **entry} if isinstance(entry, dict) else entry
        for name, entry in (written | {one: {} for one in added}).items()
    }
    return described, ", ".join(added)


def _workloads(_: Mapping[str, Any], given: Any) -> _Filled:
    """The service of its own name, for a workload that does not say what it is, and a class of its own; a size is a footprint."""
    if not isinstance(given, dict):
        return None
    whole = {name: {"footprint": one} if _is_bare(one) else one for name, one in given.items()}
    named = [(name, one) for name, one in _entries(whole) if _is_name(name)]
    services = [name for name, one in named if not _SAYS_WHAT & one.keys()]
    classes = [name for name, one in named if "class" not in one]
    own = {name: {key: name for key, names in (("service", services), ("class", classes)) if name in names} for name, _ in named}
    words = {"the service of its own name": services, "a class of its own": classes}
    assumed = "; ".join(f"{said}: {', '.join(names)}" for said, names in words.items() if names)
    return {name: {**own.get(name, {}), **one} if isinstance(one, dict) else one for name, one in whole.items()}, assumed


def _is_bare(entry: object) -> bool:
    """Whether a size, right or wrong, stands where a workload's keys do."""
    return isinstance(entry, str | int | float) and not isinstance(entry, bool)


def _is_zero(entry: object) -> bool:
    """Whether somebody has written a plain 0, which needs no unit."""
    return type(entry) is int and entry == 0


def _modes(_: Mapping[str, Any], given: Any) -> _Filled:
    """The profile of its own name, for a mode that names neither profiles nor services."""
    by_name = [name for name, one in _entries(given) if not {"profiles", "services"} & one.keys() and _is_name(name)]
    if not by_name:
        return None
    named = ", ".join(by_name)
    return {**given, **{name: {**given[name], "profiles": [name]} for name in by_name}}, f"the profile of its own name: {named}"


def _rules(_: Mapping[str, Any], given: Any) -> _Filled:
    """A name for each rule, and a reason that says what it forbids."""
    if not isinstance(given, list):
        return None
    names = {one["name"] for one in given if isinstance(one, dict) and isinstance(one.get("name"), str)}
    filled, added = [], []
    for rule in given:
        missing = _rule_words(rule, names) if isinstance(rule, dict) else {}
        filled.append({**missing, **rule} if missing else rule)
        if missing:
            names.add(missing["name"])
            added.append(f'{filled[-1]["name"]} ("{filled[-1]["because"]}")')
    return (filled, ", ".join(added)) if added else None


def _rule_words(rule: Mapping[str, Any], taken: Iterable[str]) -> dict[str, str]:
    """Return the name and the reason of a rule that lacks one of them; nothing for what is no rule."""
    kinds = {"exclusive": rule.get("exclusive"), "at_most": rule.get("of"), "careful": rule.get("careful")}
    found = [(kind, members) for kind, members in {**kinds, "alternate": rule.get("alternate")}.items() if kind in rule]
    if len(found) != 1 or {"name", "because"} <= rule.keys():
        return {}
    (kind, members), most = found[0], rule.get("at_most")
    listed = [str(one) for one in members] if isinstance(members, list) else []
    all_of = " and ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:])))
    because = {
        "exclusive": f"{all_of} never run together" if len(listed) == 2 else f"no two of {all_of} run together",
        "at_most": f"at most {most} of {all_of} at a time",
        "careful": f"{all_of} share the GPU",
        "alternate": f"{all_of} take turns on the GPU",
    }[kind]
    kind = f"at-most-{most}-of" if kind == "at_most" else kind
    return {"name": _unique("-".join((kind, *listed)), taken), "because": because}


def _unique(text: str, taken: Iterable[str]) -> str:
    """Return a name that none of those taken has."""
    name = re.sub(r"[^a-zA-Z0-9_.:/-]", "-", text)[: LONGEST_NAME - 5]
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 10**4))) if one not in taken)


def _entries(section: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the entries of a section that have the form they should have."""
    return [(name, one) for name, one in section.items() if isinstance(one, dict)] if isinstance(section, dict) else []


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= LONGEST_NAME and re.fullmatch(NAME.rstrip("$"), name) is not None
