"""Where a lab lies: its Compose files and its rules file. Only the paths; nothing is read here.

A tuple and no model: it is needed before anything that takes long to import.
"""

from typing import NamedTuple

RULES_NAME = "rules.yaml"


class LabFiles(NamedTuple):
    """The files of a lab, as absolute paths, with Compose's own options for them.

    `project_name` None leaves the name to Compose; `project_directory` None means the folder of the first file. `others` are
    the files of the lab's other Compose projects, where its rules name several. `folder` is then the one in which plain
    Compose finds these files by itself, None where they are named one by one.
    """

    compose: tuple[str, ...]
    rules: str
    project_directory: str | None = None
    project_name: str | None = None
    env_files: tuple[str, ...] = ()
    folder: str | None = None
    others: "tuple[LabFiles, ...]" = ()

    @property
    def each(self) -> "tuple[LabFiles, ...]":
        """The files of each Compose project by itself, the first one's first."""
        return (self._replace(others=()), *self.others)

    @property
    def all_compose(self) -> tuple[str, ...]:
        """The Compose files of all projects."""
        return tuple(file for one in (self, *self.others) for file in one.compose)

    def under(self, folder: str, name: str) -> "LabFiles":
        """Return the same with another name for the project of a folder, or for the only one."""
        is_it = [not self.others or one.folder == folder for one in self.each]
        first, *others = (one._replace(project_name=name) if its else one for one, its in zip(self.each, is_it, strict=True))
        return first._replace(others=tuple(others))
