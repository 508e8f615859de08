"""A proposal as the text of a rules.yaml: as short as a person would write it, with what each line rests on beside it."""

import json
import re
from collections.abc import Iterable, Iterator

from spark_mode.init.modes import ProposedMode
from spark_mode.init.propose import Proposal, ProposedRule, ProposedWorkload
from spark_mode.init.sizing import Size
from spark_mode.init.tables import TRAINING
from spark_mode.lab.size import size_text

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(:[A-Za-z0-9_.-]+)?")
_SPECIAL = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|[\d._+-]+([eE][\d+-]*)?|0[xob][\da-f_]*|\d[\d:._-]*")
_HEAD = """\
# What runs on this machine and what may run together, as `spark-mode init` saw it in the Compose files.
# Beside each size stands what it rests on; `spark-mode calibrate` has your own once it was measured.
"""


def written(proposal: Proposal, projects: Iterable[str] = ()) -> str:
    """Return the text of the file for a lab of these projects, where there are several; the same always gives the same."""
    scope = "\nscope: project # as the labels of its services say: it counts nothing outside, and nobody counts it\n"
    several = f"\nprojects: {_list(projects)} # each stays a project of its own\n" if projects else ""
    return "".join([_HEAD, several, *[scope] * proposal.alone_in_project, sections(proposal)])


def sections(proposal: Proposal) -> str:
    """Return the sections of the file that have something in them."""
    modes = proposal.modes.modes
    lines = {
        "limits": [f"{name}: {size_text(size)} # raised, for what is above them alone" for name, size in proposal.limits.items()],
        "classes": [f"{TRAINING}: {{runs_to_end: true}} # asked about before a stop, never stopped for memory"]
        * proposal.long_class,
        "workloads": [_workload(one) for one in proposal.workloads],
        "hosts": [f"{key(one)}: {{service: {scalar(one)}}} # its models have sizes" for one in proposal.hosts],
        "profiles": [f"{key(one)}: {{models: {_list(models)}}}" for one, models in proposal.needs.items()],
        "rules": [line for rule in proposal.rules for line in _rule(rule)],
        "modes": [*map(_mode, modes), *_left_out(proposal)] if modes else [],
    }
    return "".join(_section(name, several) for name, several in lines.items() if several)


def scalar(text: str) -> str:
    """Return text as a YAML value within brackets: quoted where it would be read as something else."""
    return text if _PLAIN.fullmatch(text) and not _SPECIAL.fullmatch(text) else json.dumps(text)


def key(text: str) -> str:
    """Return text as a YAML key of a line of its own, where a colon in a name needs no quotes."""
    return text if _KEY.fullmatch(text) and not _SPECIAL.fullmatch(text) else json.dumps(text)


def _section(name: str, lines: list[str]) -> str:
    return f"\n{name}:\n" + "".join(f"  {line}\n" for line in lines)


def _workload(one: ProposedWorkload) -> str:
    said = [f"class: {scalar(one.class_)}"]
    if one.model and one.host:
        said += [f"model: {scalar(one.model)}", f"host: {scalar(one.host)}"]
    return f"{key(one.name)}: {{{', '.join([*said, f'footprint: {_footprint(one.size)}'])}}} # {one.size.evidence}"


def _footprint(size: Size) -> str:
    if size.low == size.planned == size.high:
        return size_text(size.planned)
    low = f", low: {size_text(size.low)}" if size.low != size.planned else ""
    high = f", high: {size_text(size.high)}" if size.high != size.planned else ""
    return f"{{planned: {size_text(size.planned)}{low}{high}}}"


def _rule(rule: ProposedRule) -> Iterator[str]:
    members = _list(rule.members)
    yield f"- exclusive: {members}" if rule.kind == "exclusive" else "- at_most: 1"
    if rule.kind == "at_most":
        yield f"  of: {members}"
    yield f"  because: {json.dumps(rule.because, ensure_ascii=False)}"


def _mode(one: ProposedMode) -> str:
    said = [f"class: {scalar(one.class_)}"]
    if one.services:
        said.append(f"services: {_list(one.services)}")
    elif one.profiles != (one.name,):
        said.append(f"profiles: {_list(one.profiles)}")
    if one.models:
        said.append(f"models: {_list(one.models)}")
    return f"{key(one.name)}: {{{', '.join(said)}}}"


def _left_out(proposal: Proposal) -> Iterator[str]:
    yield from (f"# {profile} is none: {why}" for profile, why in proposal.modes.left_out.items())


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(scalar, names))}]"
