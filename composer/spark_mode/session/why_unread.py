"""Why Compose cannot read one of several projects, as far as rules.yaml has it: a name or folder written wrong."""

from collections.abc import Iterator, Sequence
from os.path import relpath
from pathlib import Path

from spark_mode.errors import SparkModeError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.suggestion import meant_by
from spark_mode.plain_file import is_there
from spark_mode.session.compose_folder import usual_files

_NO_NAME = "invalid project name"
"""How Compose begins what it says of a name that it does not take; where that was found it does not say."""


def why_unread(projects: Sequence[LabFiles], position: int, fault: SparkModeError) -> str:
    """Return why one of these projects cannot be read: with where its name stands, or the folder that may be meant."""
    files = projects[position]
    rules, folder = Path(files.rules), Path(files.compose[0]).parent
    said = fault.message.removeprefix(f"{files.compose[0]}: ")
    if files.project_name and said.startswith(_NO_NAME):
        return f"{files.folder}/.env: {said}" if files.folder else f"{rules.name}: projects/{position}/name: {said}"
    if is_there(folder):
        return fault.message
    known = {Path(one.compose[0]).parent for one in projects}
    near = meant_by(folder.name, (one.name for one in _beside(folder) if one not in known))
    return f'{fault.message} (did you mean "{relpath(folder.parent / near, rules.parent)}"?)' if near else fault.message


def _beside(folder: Path) -> Iterator[Path]:
    """Yield the folders beside one that is not there which have a Compose file under a usual name."""
    try:
        there = sorted(folder.parent.iterdir())
    except OSError:
        return
    yield from (one for one in there if usual_files(one))
