"""The tables of docs/rules.md: every key of rules.yaml with its type, what holds without it, and an example."""

from collections.abc import Iterator
from typing import Any

from spark_mode.lab.left_out import BURST, FILLED_IN, HARDWARE, LIMITS, OVERHEAD, RELEASE, SHIPPED_CAPACITY
from spark_mode.lab.rules_described import Key, described
from spark_mode.lab.rules_schema import as_mapping, rules_schema
from spark_mode.lab.size import GB

HEADINGS = {
    "Rules": "The whole file",
    "Workload": "`workloads`: what has a footprint",
    "Footprint": "`footprint`: how much it takes",
    "Variant": "`variants`: the sizes in which it can run",
    "ForeignPattern": "`outside`: how to know it where others start it",
    "WorkloadClass": "`classes`: kinds of workloads",
    "Mode": "`modes`: the sides of the switch",
    "Exclusive": "`rules`: never together",
    "AtMost": "`rules`: at most so many",
    "Careful": "`rules`: together, with care",
    "Alternate": "`rules`: loaded together, used in turn",
    "Host": "`hosts`: what serves models",
    "ProfileNeeds": "`profiles`: what a Compose profile needs",
    "Limits": "`limits`: what totals are held against",
    "Overhead": "`overhead`: what comes on top",
    "Burst": "`burst`: what may come for moments",
    "Range": "`cuda_context` and `kv_cache`: from and to",
    "Hardware": "`hardware`: the machine",
    "GuardPolicy": "`guard`: who goes when others break a rule",
    "NamedSet": "`sets`: what `matrix` shows",
    "ProjectFiles": "`projects`: one that is named by its files",
}
"""The models in the order in which somebody who writes a file meets them."""


LEFT_OUT: dict[str, dict[str, Any]] = {"Hardware": HARDWARE, "Limits": RELEASE, "Overhead": OVERHEAD, "Burst": BURST}
"""What holds by the code where a file says nothing."""


def keys() -> str:
    """Return a section for each part of the file."""
    schema = rules_schema()
    return "\n".join("\n".join(_section(model, heading, schema)) for model, heading in HEADINGS.items())


def _section(model: str, heading: str, schema: dict[str, Any]) -> Iterator[str]:
    found = schema if model == "Rules" else as_mapping(schema["$defs"][model])
    yield f"## {heading}\n"
    yield "| key | what it is | type | without it | example |"
    yield "|---|---|---|---|---|"
    for name, key in described(model).items():
        without = _without(model, name, key, found)
        example = "<br>".join(f"`{line}`" for line in key.example.splitlines())
        yield f"| `{name}` | {key.says} | {_type(found['properties'][name], schema)} | {without} | {example} |"
    yield ""


def _without(model: str, name: str, key: Key, found: dict[str, Any]) -> str:
    if model == "Limits" and name in LIMITS:
        share = 100 * LIMITS[name] / SHIPPED_CAPACITY
        return f"{share:.3g} % of the capacity, {LIMITS[name] // GB}GB of {SHIPPED_CAPACITY // GB}GB"
    if isinstance(said := LEFT_OUT.get(model, {}).get(name), str | int):
        return f"`{said}`"
    if key.default:
        return key.default if name in FILLED_IN.get(model, ()) or " " in key.default else f"`{key.default}`"
    if name in found.get("required", ()) or (model, name) == ("Rules", "workloads"):
        return "**needed**"
    default = found["properties"][name].get("default")
    return "-" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(part: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return in words what may stand there."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        link = f"[{name_of(name)}](#{_anchor(HEADINGS[name])})"
        return f"size, or {link}" if name in ("Footprint", "Workload") else link
    if kinds := part.get("anyOf") or part.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(one, schema) for one in kinds if one.get("type") != "null"))
    if part.get("type") == "array":
        return f"list of: {_type(part['items'], schema)}"
    if part.get("type") == "object":
        entries: dict[str, Any] = part.get("additionalProperties") or next(iter(part.get("patternProperties", {}).values()), {})
        return f"by name: {_type(entries, schema)}"
    return _plain_type(part)


def _plain_type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " or ".join(f"`{one}`" for one in part["enum"])
    if isinstance(part.get("type"), list):
        return "number or fraction"
    least = f" from {part['minimum']}" if "minimum" in part else ""
    words = {"integer": f"whole number{least}", "boolean": "`true` or `false`", "number": "number", "string": _text(part)}
    return words[str(part["type"])]


def _text(part: dict[str, Any]) -> str:
    pattern = part.get("pattern", "")
    if "GiB" in pattern:
        return "size, or `auto`" if "auto" in pattern else "size"
    return "name" if pattern.startswith("^[a-zA-Z0-9][a-zA-Z0-9_.:/-]") else "text"


def name_of(model: str) -> str:
    """Return a model as people call it."""
    return {
        "WorkloadClass": "class",
        "ProfileNeeds": "needs",
        "GuardPolicy": "policy",
        "NamedSet": "set",
        "ForeignPattern": "sign",
        "ProjectFiles": "files",
        "Exclusive": "exclusive",
        "AtMost": "at most",
    }.get(model, model.lower())


def _anchor(heading: str) -> str:
    """Return the anchor that a heading has, on the site and where the page is read otherwise."""
    kept = "".join(one for one in heading.lower() if one.isalnum() or one in " -_")
    return kept.strip().replace(" ", "-")
