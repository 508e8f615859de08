"""A first rules.yaml, made and shown: what was seen, what was answered, and what leads on."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spark_mode.errors import ConfigurationError
from spark_mode.init.answers import NOTHING, with_answers
from spark_mode.init.fit import room
from spark_mode.init.limits import above_the_limits, advice
from spark_mode.init.notes import notes
from spark_mode.init.propose import Proposal, propose
from spark_mode.init.survey import Survey, survey
from spark_mode.init.written import written
from spark_mode.lab.files import LabFiles
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.size import gb
from spark_mode.plain_file import plain_text
from spark_mode.session.discovery import Flags
from spark_mode.session.first_look import first_look, this_machine
from spark_mode.session.set_lab import labs_within, second_lab, set_lab_apart

BY_HAND = (
    "where one uses the GPU all the same, write rules.yaml yourself: workloads: {SERVICE: {class: llm, footprint: 20GB}} and "
    "modes: {MODE: {services: [SERVICE]}}"
)
"""What to do about a service that is not seen to use the GPU."""
_NAME = re.compile(r"^name[ \t]*:", re.MULTILINE)
"""The project's name in a Compose file as people write it."""


class FirstRules(NamedTuple):
    """What is proposed, the text of it, and what is said beside it. `model` is Compose's own, and is never shown.

    `whole` is the folder of the set lab where that has these projects already.
    """

    files: LabFiles
    model: Mapping[str, Any]
    seen: Survey
    proposal: Proposal
    text: str
    notes: tuple[str, ...]
    whole: Path | None = None

    def as_json(self, written: bool) -> dict[str, Any]:
        """Return what is said in a form for programs; sizes in GB."""
        return {
            "written": written,
            "text": self.text,
            "workloads": [
                {
                    "name": one.name,
                    "class": one.class_,
                    "planned_gb": gb(one.size.planned),
                    "low_gb": gb(one.size.low),
                    "high_gb": gb(one.size.high),
                    "known": one.known,
                    "evidence": one.size.evidence,
                }
                for one in self.proposal.workloads
            ],
            "modes": [one.name for one in self.proposal.modes.modes],
            "notes": list(self.notes),
        }


def first_rules(
    flags: Flags,
    paths: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    measure: bool,
    asks: Callable[[LabFiles | None], bool],
) -> FirstRules:
    """Return a first rules.yaml for a project; where it `asks`, of these files or of which they are, somebody is there.

    To `measure` takes what runs now for evidence as well. Raises ConfigurationError where nothing of it has a GPU, and as
    `first_look` and `this_machine` do.
    """

    def choose(projects: Sequence[str]) -> str | None:
        if not asks(None):
            return None
        from spark_mode.cli.first_questions import chosen

        return chosen(projects)

    look = first_look(flags, paths, environment, folder, choose)
    machine = this_machine(str(look.resolved.model["name"]), measure)
    seen = survey(look.resolved.model, machine)
    if not seen.sizes and not seen.models:
        where = ", ".join(one.compose[0] for one in look.files.each)
        message = f"nothing in {where} has a GPU, or is known to need one: there is nothing to keep apart"
        raise ConfigurationError(message, f"name other files: spark-mode init FILE…; or, {BY_HAND}")
    answers = NOTHING
    if asks(look.files):
        from spark_mode.cli.first_questions import answered  # which nobody else needs

        answers = answered(seen, machine)
        machine = machine._replace(rules=_with_limits(machine.rules, answers.limits))
        seen = with_answers(seen, answers)._replace(room=room(machine.rules, machine.memory))
    proposal = propose(seen, answers)
    text = written(proposal, _places(look.files))
    read_rules(text, "rules.yaml", lambda _: "", lambda: machine.memory)  # what cannot be read back is never written
    above = advice(above_the_limits(seen, proposal, machine.rules))
    unusable = [
        f"{f'the profile {profile}' if profile else 'what has no profile'} cannot be read, and is left out: {why}"
        for profile, why in look.resolved.unusable.items()
    ]
    said = (
        *_second_lab(look.files, environment),
        *_named_apart(look.files),
        *unusable,
        *above,
        *notes(seen),
        *proposal.modes.said,
    )
    return FirstRules(look.files, look.resolved.model, seen, proposal, text, said, set_lab_apart(look.files, environment))


def _second_lab(files: LabFiles, environment: Mapping[str, str]) -> Iterator[str]:
    if said := second_lab(files, environment):
        yield f"{said}; use it as it is, without this file"
    yield from (f"{one}; move it away" for one in labs_within(files))


def _named_apart(files: LabFiles) -> Iterator[str]:
    """Say so where files of one project, as Compose takes them, lie in several folders and have names of their own."""
    named = [Path(one) for one in files.compose if _NAME.search(plain_text(Path(one)) or "")]
    if len({one.parent for one in named}) > 1:
        folders = " ".join(os.path.relpath(one) for one in dict.fromkeys(one.parent for one in named))
        yield (
            f"{', '.join(map(os.path.relpath, named))}: taken for files of one project, and each has a name of its own; "
            f"to have them as projects of one lab: spark-mode init {folders}"
        )


def _places(files: LabFiles) -> tuple[str, ...]:
    """Return where several projects lie, as their rules name them."""
    return tuple(os.path.relpath(one.folder or "", Path(files.rules).parent) for one in files.each) if files.others else ()


def _with_limits(rules: Rules, limits: Mapping[str, int]) -> Rules:
    return rules.model_copy(update={"limits": rules.limits.model_copy(update=dict(limits))})
