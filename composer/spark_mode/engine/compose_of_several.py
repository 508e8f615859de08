"""Compose's verbs for a lab of several Compose projects: each service goes to its own, under its name there."""

from collections.abc import Mapping, Sequence

from spark_mode.engine.doors import ChosenVariant, Compose
from spark_mode.lab.project import Project


class ComposeOfSeveral:
    """The verbs of each project, by its name, behind one door that speaks of services as the lab knows them."""

    def __init__(self, project: Project, verbs: Mapping[str, Compose]) -> None:
        self._project, self._verbs = project, verbs

    def prepare(self) -> None:
        next(iter(self._verbs.values())).prepare()

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool = False) -> None:
        for project, names in self._by_project(services).items():
            chosen = {plain: variants[name] for name, plain in names.items() if name in variants}
            self._verbs[project].create(tuple(names.values()), chosen, anew)

    def start(self, *services: str) -> None:
        for project, names in self._by_project(services).items():
            self._verbs[project].start(*names.values())

    def stop(self, service: str, seconds: int) -> None:
        for project, names in self._by_project([service]).items():
            self._verbs[project].stop(names[service], seconds)

    def _by_project(self, services: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return by project the names that services have there, by those that the lab has for them."""
        found: dict[str, dict[str, str]] = {}
        for name in services:
            one = self._project.services[name]
            found.setdefault(one.project, {})[name] = one.plain
        return found
