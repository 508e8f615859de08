"""Where a lab lies: its Compose files and its rules file. Only the paths; nothing is read here."""

from spark_mode.frozen import Frozen


class LabFiles(Frozen):
    """The files of a lab, as absolute paths, with Compose's own options for them.

    `project_name` None leaves the name to Compose; `project_directory` None means the folder of the first file.
    """

    compose: tuple[str, ...]
    rules: str
    project_directory: str | None = None
    project_name: str | None = None
    env_files: tuple[str, ...] = ()
