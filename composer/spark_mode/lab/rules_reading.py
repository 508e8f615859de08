"""From the text of rules.yaml to `Rules`: every mistake is found here, with its path and, where one is near, a suggestion."""

import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import islice
from reprlib import repr as short_repr
from typing import Any

from pydantic import ValidationError

from spark_mode.errors import ConfigurationError
from spark_mode.lab.document import parse_document, to_correct
from spark_mode.lab.left_out import complete
from spark_mode.lab.mistakes import in_our_words
from spark_mode.lab.places import PROJECTS
from spark_mode.lab.rules import RULE_KINDS, Alternate, AtMost, Careful, Exclusive, Rules
from spark_mode.lab.suggestion import suggest
from spark_mode.lab.verbs import NO_MODES, VERBS
from spark_mode.lab.workload import Workload

MOST_MISTAKES = 20
_FIRST_OF_CLASS = "; no workload is of it: name one, such as a plain command: {0}: {{class: {0}, footprint: 30GB, command: true}}"
_SCALE = re.compile(r"\d{1,6}(?:/0*[1-9]\d{0,5}|\.\d{1,6})?", re.ASCII)
_TAGS = tuple(f"<{kind}>" for kind in RULE_KINDS)
_OURS = {"name": "", "variant": '; did you mean "variants"?', "class_": '; did you mean "class"?'}
"""Fields of a workload or mode that are not keys of the file, and what was meant."""


def read_rules(
    text: str, name: str, read_other: Callable[[str], str], machine_memory: Callable[[], int | None] = lambda: None
) -> Rules:
    """Return the rules in `text`, with what it leaves out; `name` is the file's name for messages.

    A file with `extends: OTHER` and `scale: 1/16` is OTHER with every size scaled, and with its own keys in place of
    OTHER's; `read_other` returns OTHER's text. `machine_memory` tells the machine's, in bytes, for limits that follow from it.
    Raises ConfigurationError with all mistakes, a line each.
    """
    return read_rules_and_assumed(text, name, read_other, machine_memory)[0]


def read_rules_and_assumed(
    text: str, name: str, read_other: Callable[[str], str], machine_memory: Callable[[], int | None]
) -> tuple[Rules, dict[str, str]]:
    """Return the rules as `read_rules` does, and what the text left out: in words, by section. Raises ConfigurationError."""
    written, scale = _document(text, name, read_other)
    if reserved := list(_reserved(written)):
        raise _as_configuration_error(name, reserved)
    data, assumed = complete(written, machine_memory, scale)
    try:
        rules = Rules.model_validate(data, context={"scale": scale})
    except ValidationError as error:
        details = (detail for detail in error.errors() if detail["loc"][::2] != ("workloads", "name"))  # which is the key
        raise _as_configuration_error(name, (_message(detail, written) for detail in details)) from None
    if mistakes := list(_wrong_references(rules)):
        raise _as_configuration_error(name, mistakes)
    return rules, assumed


def _document(text: str, name: str, read_other: Callable[[str], str]) -> tuple[dict[str, Any], Fraction]:
    """Return what is written, with that of the file which is extended, and the scale of its sizes."""
    data = parse_document(text, name)
    if not isinstance(data, dict):
        raise ConfigurationError(f"{name}: expected keys such as workloads, rules and modes", to_correct(name))
    if "extends" not in data:
        return data, Fraction(1)
    scale = _scale(data.pop("scale", 1), name)
    other = data.pop("extends")
    if not isinstance(other, str) or not other.isprintable():
        message = f"{name}: extends: write the path of another rules file, not {short_repr(other)}"
        raise ConfigurationError(message, to_correct(name))
    base = parse_document(read_other(other), other)
    if not isinstance(base, dict) or "extends" in base:
        raise ConfigurationError(f"{name}: extends: {other} must be a complete rules file", to_correct(name))
    base.pop(PROJECTS, None)  # which are relative to where they stand
    if scale != 1 and isinstance(base.get("hardware"), dict):
        base["hardware"].pop("facts", None)  # which are of the machine that the other file is for
    return {**base, **data}, scale


def _scale(value: object, name: str) -> Fraction:
    scale = Fraction(str(value)) if isinstance(value, str | int | float) and _SCALE.fullmatch(str(value)) else Fraction(0)
    if scale <= 0:
        message = f"{name}: scale: write a positive number or fraction such as 1/16, not {short_repr(value)}"
        raise ConfigurationError(message, to_correct(name))
    return scale


def _reserved(data: dict[str, Any]) -> Iterator[str]:
    for key in ("without_gpu", "replicas", "namesakes"):
        if key in data:
            yield f'{key}: unknown key "{key}"'
    for section in ("workloads", "modes"):
        entries = data.get(section)
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            for field, meant in _OURS.items():
                if isinstance(entry, dict) and field in entry:
                    yield f'{section}/{key}/{field}: unknown key "{field}"{meant}'


def _as_configuration_error(name: str, mistakes: Iterable[str]) -> ConfigurationError:
    told = [f"{name}: {mistake}" for mistake in islice(mistakes, MOST_MISTAKES + 1)]
    if len(told) > MOST_MISTAKES:
        told[-1] = f"{name}: and more; these {MOST_MISTAKES} are the first"
    return ConfigurationError("\n".join(told), to_correct(name))


def _message(detail: Any, data: dict[str, Any]) -> str:
    path = [str(part) for depth, part in enumerate(detail["loc"]) if not (depth == 2 and part in _TAGS)]
    path = path[:-1] if path[-1:] == ["[key]"] else path
    where = "/".join(path)
    if detail["type"] == "extra_forbidden":
        near = suggest(path[-1], _known_keys(path, data))
        there = ", ".join(_keys_at(path[:-1], Rules.model_json_schema()))
        return f'{where}: unknown key "{path[-1]}"{near or (there and f"; there are {there}")}'
    return f"{where}: {in_our_words(detail)}"


def _known_keys(path: list[str], data: dict[str, Any]) -> list[str]:
    """Return the keys that a correct file may have where an unknown one was found."""
    schema = Rules.model_json_schema()
    if len(path) == 1:
        return list(schema["properties"])
    return sorted({key for model in schema["$defs"].values() for key in model.get("properties", {})} | set(data))


def _keys_at(path: list[str], schema: dict[str, Any]) -> list[str]:
    """Return the keys that what stands at a path may have; none where it may be several things."""
    node = schema
    for part in path:
        entries = [*node.get("patternProperties", {}).values(), node.get("additionalProperties"), node.get("items"), {}]
        node = node.get("properties", {}).get(part) or next(one for one in entries if isinstance(one, dict))
        node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    return list(node.get("properties", {}))


def _wrong_references(rules: Rules) -> Iterator[str]:
    yield from _wrong_workloads(rules)
    for name, needs in rules.profiles.items():
        yield from _wrong_models(rules, needs.models, f"profiles/{name}")
    for name, mode in rules.modes.items():
        yield from _wrong_models(rules, mode.models, f"modes/{name}")
        if name in VERBS or name in NO_MODES:
            yield f'modes/{name}: "{name}" means something to spark-mode already; give the mode another name'
        if mode.class_ and mode.class_ not in rules.classes:
            yield f'modes/{name}/class: unknown class "{mode.class_}"{suggest(mode.class_, rules.classes)}'
    yield from _wrong_rules(rules)
    for index, named in enumerate(rules.sets):
        for position, member in enumerate(named.workloads):
            if rules.find(member) is None:
                yield f'sets/{index}/workloads/{position}: unknown workload "{member}"{suggest(member, rules.workloads)}'


def _wrong_models(rules: Rules, needed: Iterable[str], where: str) -> Iterator[str]:
    for position, model in enumerate(needed):
        if (workload := rules.workloads.get(model)) is None or workload.model is None:
            models = [known for known, workload in rules.workloads.items() if workload.model]
            yield f'{where}/models/{position}: unknown model "{model}"{suggest(model, models)}'


def _wrong_workloads(rules: Rules) -> Iterator[str]:
    services: dict[str, str] = {}
    for name, host in rules.hosts.items():
        if host.service is None:
            continue
        if host.service in services:
            yield f"hosts/{name}/service: {host.service} is already {services[host.service]}"
        services[host.service] = f"the host {name}"
    names = set(rules.workloads)
    for name, workload in rules.workloads.items():
        where = f"workloads/{name}"
        if workload.class_ not in rules.classes:
            near = suggest(workload.class_, rules.classes)
            yield f'{where}/class: unknown class "{workload.class_}"{near}; one of its own belongs into classes'
        yield from _wrong_runner(rules, workload, where)
        if workload.service:
            if workload.service in services:
                yield f"{where}/service: {workload.service} is already {services[workload.service]}"
            services.setdefault(workload.service, f"the workload {name}")
        for alias in workload.aliases:
            if alias in names:
                yield f'{where}/aliases: "{alias}" already names another workload'
            names.add(alias)
        yield from _wrong_variants(workload, where)


def _wrong_runner(rules: Rules, workload: Workload, where: str) -> Iterator[str]:
    if workload.service and workload.model:
        yield f"{where}: needs either a service or a model with its host"
    if workload.command and not workload.only_outside:
        yield f"{where}/command: what is a service or a model needs no such key, and can be run as a command all the same"
    if workload.only_outside and not workload.outside and not workload.command:
        what = "a service, a model with its host, command: true, or under outside how to know what others start"
        yield f"{where}: needs {what}"
    if (workload.model is None) != (workload.host is None):
        yield f"{where}: model and host belong together"
    if workload.host is not None and workload.host not in rules.hosts:
        yield f'{where}/host: unknown host "{workload.host}"{suggest(workload.host, rules.hosts)}'


def _wrong_variants(workload: Workload, where: str) -> Iterator[str]:
    default = workload.default_variant
    if workload.variants and default not in workload.variants:
        yield f"{where}/default_variant: must be one of {', '.join(workload.variants)}"
    if default is not None and default in workload.variants:
        variant = workload.variants[default]
        if variant.footprint.planned != workload.footprint.planned:
            yield f"{where}/variants/{default}: is the default and must have the workload's own footprint"
        if variant.environment:
            yield f"{where}/variants/{default}/environment: the default variant is what the Compose file says; leave it out"


def _wrong_rules(rules: Rules) -> Iterator[str]:
    names: set[str] = set()
    for index, rule in enumerate(rules.rules):
        if rule.name in names:
            yield f'rules/{index}/name: "{rule.name}" already names another rule'
        names.add(rule.name)
        yield from _wrong_members(rules, index, rule)
    for position, name in enumerate(rules.guard.spares or ()):
        if name not in rules.classes and name not in rules.workloads:
            yield f'guard/spares/{position}: unknown class "{name}"{suggest(name, rules.classes)}'


def _wrong_members(rules: Rules, index: int, rule: Exclusive | AtMost | Careful | Alternate) -> Iterator[str]:
    match rule:
        case Exclusive():
            key, members = "exclusive", rule.exclusive
        case AtMost():
            key, members = "of", rule.of
            if rule.at_most >= len(members) and not rules.classes.keys() & set(members):
                yield f"rules/{index}/at_most: must be less than its {len(members)} workloads, or it forbids nothing"
        case Careful():
            key, members = "careful", rule.careful
        case Alternate():
            key, members = "alternate", rule.alternate
    known = [*rules.classes, *rules.workloads]
    for position, member in enumerate(members):
        if member not in known:
            kind = "workload" if isinstance(rule, AtMost) else "class"
            near = suggest(member, known) or (_FIRST_OF_CLASS.format(member) if kind == "class" else "")
            yield f'rules/{index}/{key}/{position}: unknown {kind} "{member}"{near}'
        if member in members[:position]:
            yield f'rules/{index}/{key}/{position}: "{member}" is there twice'
