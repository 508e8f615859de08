"""Compose's own resolved model of a project, for what has no rules yet. It holds secrets: whoever asks keeps little of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spark_mode.engine.compose_files import _flags as compose_flags
from spark_mode.engine.questions import Answer, ask, collect, understood
from spark_mode.errors import ConfigurationError, SparkModeError
from spark_mode.lab.files import LabFiles

_FIX = "correct it, or name other files: spark-mode init FILE…"
AT_ONCE = 8
"""Questions that are asked together."""


class Resolved(NamedTuple):
    """The model, as plain data, and why some profiles are not in it, by profile."""

    model: dict[str, Any]
    unusable: dict[str, str]


def resolved(files: LabFiles, socket: str) -> Resolved:
    """Return a project with all profiles, or with those that Compose can resolve, where it cannot resolve all together.

    Two services for different machines may have one container_name. Raises ConfigurationError for what Compose says is wrong,
    EngineUnavailable where there is no `docker` command or no answer in time.
    """
    flags, first = compose_flags(files), files.compose[0]
    whole = _answers({"whole": ("--profile", "*")}, flags, socket)["whole"]
    if whole.code == 0:
        return Resolved(_read(whole, first), {})
    listed = collect({"profiles": ask([*flags, "config", "--profiles"], socket)})["profiles"]
    profiles = listed.output.split() if listed.code == 0 else []
    if not profiles:
        whole.text(first, _FIX)
    base = _read(_answers({"": ()}, flags, socket)[""], first)
    unusable = {}
    for profile, answer in _apart(profiles, flags, socket).items():
        try:
            base["services"] |= _read(answer, first)["services"]
        except ConfigurationError as fault:
            unusable[profile] = fault.message
    return Resolved(base, unusable)


def projects_that_are_known(socket: str) -> dict[str, tuple[str, ...]]:
    """Return the Compose projects that the engine knows, by name, with their files; none where it does not answer."""
    try:
        answer = collect({"ls": ask(["ls", "--all", "--format", "json"], socket)})["ls"]
        listed = json.loads(answer.output) if answer.code == 0 else []
        return {str(one["Name"]): tuple(str(one["ConfigFiles"]).split(",")) for one in listed}
    except (SparkModeError, ValueError, KeyError, TypeError):  # it is only to help out
        return {}


def _apart(profiles: Sequence[str], flags: Sequence[str], socket: str) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for start in range(0, len(profiles), AT_ONCE):
        batch = {profile: ("--profile", profile) for profile in profiles[start : start + AT_ONCE]}
        answers |= _answers(batch, flags, socket)
    return answers


def _answers(questions: Mapping[str, Sequence[str]], flags: Sequence[str], socket: str) -> dict[str, Answer]:
    form = ("config", "--format", "json")
    return collect({name: ask([*flags, *told, *form], socket) for name, told in questions.items()})


def _read(answer: Answer, first: str) -> dict[str, Any]:
    text = answer.text(first, _FIX)
    model = understood(text, lambda: dict(json.loads(text)))
    return understood(text, lambda: {**model, "name": str(model["name"]), "services": dict(model.get("services") or {})})
