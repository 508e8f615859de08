"""The lab that a page shows, as a value: how it is opened for one look, and what `spark-mode` is for it."""

from collections.abc import Callable
from typing import NamedTuple

from spark_mode.session.session import Session


class PageLab(NamedTuple):
    """A lab that is opened anew for each look. `open` raises as `open_lab` does.

    `command` is the program with the options that name the lab, `folder` where that lies, as people know it.
    """

    open: Callable[[], Session]
    command: tuple[str, ...]
    folder: str
