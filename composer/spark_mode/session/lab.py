"""A lab in hand, as a value: what was read of it, and the doors to the machine that it is on."""

from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.session.doors import Doors
from spark_mode.session.observe import Observer


class Lab(NamedTuple):
    """What a switch works with; `observer` is who looks at it."""

    project: Project
    rules: Rules
    doors: Doors
    observer: Observer
