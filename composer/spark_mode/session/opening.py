"""Opening a lab: what takes time to import is imported while Compose answers."""

from typing import TYPE_CHECKING

from spark_mode.lab.files import LabFiles
from spark_mode.session.prefetch import ask_compose

if TYPE_CHECKING:
    from spark_mode.session.session import Session


def open_lab(files: LabFiles, need_project: bool = True, lenient: bool = False) -> "Session":
    """Open a lab. Raises as `Session.open` does."""
    asked = ask_compose(files)
    from spark_mode.session.session import Session

    return Session.open(files, asked, need_project, lenient)
