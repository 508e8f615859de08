"""Where a lab lies: its Compose files and its rules file. Only the paths; nothing is read here.

A tuple and no model: it is needed before anything that takes long to import.
"""

from typing import NamedTuple


class LabFiles(NamedTuple):
    """The files of a lab, as absolute paths, with Compose's own options for them.

    `project_name` None leaves the name to Compose; `project_directory` None means the folder of the first file.
    """

    compose: tuple[str, ...]
    rules: str
    project_directory: str | None = None
    project_name: str | None = None
    env_files: tuple[str, ...] = ()
