"""What is shown once a first rules.yaml is written, and what leads on."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from spark_mode.cli.first_rules import FirstRules
from spark_mode.cli.first_tables import shortened, sizes_table
from spark_mode.errors import SparkModeError
from spark_mode.init.together import together
from spark_mode.lab.files import RULES_NAME, LabFiles
from spark_mode.readable import readable
from spark_mode.session.compose_folder import COMPOSE_NAMES
from spark_mode.session.discovery import here

MOST, FEW = 8, 3
"""Lines of one kind, and names in a line, that are shown; the rest is counted."""


def shown(made: FirstRules, path: Path, new: bool, found: Sequence[str], width: int | None) -> str:
    """Return the table of services, what was not understood and was `found`, which modes go together, and the next command."""
    lines = [
        f"{path} is written" if new else f"{path} is there already, and the same",
        "",
        sizes_table(made.seen, made.proposal, width),
    ]
    lines += ["", *(f"note: {one}" for one in made.notes)] if made.notes else []
    if found:
        lines += ["", shortened([f"check: {one}" for one in found], "\n", MOST, ": spark-mode check")]
    if pairs := together(made.seen, made.proposal):
        lines += ["", "Modes together:"]
        for verdict, names in pairs.items():
            lines += [verdict, shortened([f"  {name}" for name in names], "\n", MOST, ": spark-mode matrix")]
    return "\n".join([*map(readable, "\n".join(lines).split("\n")), "", f"next: {_next(made, path)}"])


def findings(made: FirstRules, path: Path) -> list[str]:
    """Return what `check` finds wrong with the files of the new lab, and no note has said; the machine is for `check` itself."""
    from spark_mode.reporting.check import check
    from spark_mode.reporting.models_check import NOT_PINNED
    from spark_mode.session.opening import open_lab

    try:
        session = open_lab(made.files._replace(rules=str(path)))
        found = check(session, session.compose_version, None if made.files.others else made.model)
    except SparkModeError as error:
        return [error.message]
    together: dict[tuple[str, str], list[str]] = {}
    for one in found:
        file, _, name = one.where.partition(": ")
        if one.level in ("warning", "error") and file in ("rules", "compose") and one.message != NOT_PINNED:
            together.setdefault((file, one.message), []).append(name)
    named = {about: shortened([one for one in names if one], ", ", FEW) for about, names in together.items()}
    return [": ".join(filter(None, (file, names, message))) for (file, message), names in named.items()]


def _next(made: FirstRules, path: Path) -> str:
    """Return the command that shows what the first mode would do, as it is typed from here; where the set lab has these
    projects already, what leads back to that.
    """
    if made.whole:
        return f"{shlex.join(['rm', str(path)])}, then {shlex.join(['spark-mode', '-C', str(made.whole), 'status'])}"
    mode = next(iter(made.proposal.modes.modes), None)
    if mode is None:
        words = ["up", made.proposal.workloads[0].name]
    else:
        words = [mode.name, *(mode.profiles[:1] if len(mode.profiles) > 1 else ())]
    return shlex.join(["spark-mode", *_lab_options(made.files, path), "plan", *words])


def _lab_options(files: LabFiles, path: Path) -> list[str]:
    """Return the options without which these files would not be found: none where they lie here under their usual names."""
    first = Path(files.compose[0])
    if files.others:
        folder = [] if path.parent == here() else ["-C", str(path.parent)]
        return folder if path.name == RULES_NAME else ["--rules", str(path)]
    rules = [] if path == first.parent / RULES_NAME else ["--rules", str(path)]
    if len(files.compose) == 1 and first.name in COMPOSE_NAMES and not rules:
        return [] if first.parent == here() else ["-C", str(first.parent)]
    return [*(word for file in files.compose for word in ("-f", file)), *rules]
