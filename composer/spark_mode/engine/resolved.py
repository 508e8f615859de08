"""Compose's own resolved model of a project, for what has no rules yet. It holds secrets: whoever asks keeps little of it."""

import json
from typing import Any, NamedTuple

from spark_mode.engine.compose_files import ONE_NAME, OUTLINE, QUESTIONS, collect_ending, compose_flags
from spark_mode.engine.endless import require_ending
from spark_mode.engine.project_cache import inputs_of, may_draw_in
from spark_mode.engine.questions import Answer, ask, collect, understood
from spark_mode.errors import ConfigurationError, SparkModeError
from spark_mode.lab.files import LabFiles

_FIX = "correct it, or name other files: spark-mode init FILE…"


class Resolved(NamedTuple):
    """The model, as plain data, and why some profiles are not in it, by profile; "" is what has none."""

    model: dict[str, Any]
    unusable: dict[str, str]


def resolved(files: LabFiles, socket: str) -> Resolved:
    """Return a project with all profiles, or with those that Compose can resolve, where it cannot resolve all together.

    Raises ConfigurationError for what Compose says is wrong with all of it, EngineUnavailable where there is no `docker` command
    or no answer in time.
    """
    require_ending(inputs_of(files))
    flags, first = compose_flags(files), files.compose[0]

    def answer(*question: str) -> Answer:
        return collect({"it": ask([*flags, *question], socket)})["it"]

    questions = {"config": QUESTIONS["config"]} | ({"outline": OUTLINE} if may_draw_in(files) else {})
    answers = collect_ending({name: ask([*flags, *question], socket) for name, question in questions.items()})
    whole = answers["config"]
    if ONE_NAME in (whole.complaint() or ""):
        whole = answer(*QUESTIONS["config"], "--no-consistency")
    try:
        text = whole.text(first, _FIX)
    except ConfigurationError as fault:
        from spark_mode.engine.profiles_apart import resolve_apart  # few need it

        apart = resolve_apart(flags, socket, answers.get("outline") or answer(*OUTLINE), fault)
        return Resolved(apart.resolved, apart.unusable)
    model = understood(text, lambda: dict(json.loads(text)))
    return Resolved(
        understood(text, lambda: {**model, "name": str(model["name"]), "services": dict(model.get("services") or {})}), {}
    )


def projects_that_are_known(socket: str) -> dict[str, tuple[str, ...]]:
    """Return the Compose projects that the engine knows, by name, with their files; none where it does not answer."""
    try:
        answer = collect({"ls": ask(["ls", "--all", "--format", "json"], socket)})["ls"]
        listed = json.loads(answer.output) if answer.code == 0 else []
        return {str(one["Name"]): tuple(str(one["ConfigFiles"]).split(",")) for one in listed}
    except (SparkModeError, ValueError, KeyError, TypeError):  # it is only to help out
        return {}
