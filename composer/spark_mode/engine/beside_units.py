"""The engine's door with units of systemd behind it: to whoever switches, one is a container like all others."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from spark_mode.engine.doors import Docker, StartFailed, UnitFailed, Units
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.units import GRACE_SECONDS, id_of_unit, unit_of_id
from spark_mode.planning.container import Container

MARGIN_SECONDS = 15
START_SECONDS = 90.0
HERE = "127.0.0.1"
"""Where a unit's host runs; its port stands in rules.yaml."""


def beside_units(docker: Docker, units: Units, rules: Rules, project: Project) -> Docker:
    """Return a door behind which the units of a lab's hosts are, too."""
    known = {unit: (name, rules.hosts[name].address or "") for unit, name in rules.units.items()}
    return cast(Docker, _BesideUnits(docker, units, known, project.name))  # what it does not say itself, the engine does


class _BesideUnits:
    """`known` has the service and the address of each unit."""

    def __init__(self, docker: Docker, units: Units, known: Mapping[str, tuple[str, str]], project: str) -> None:
        self._docker, self._units, self._known, self._project = docker, units, known, project

    def __getattr__(self, name: str) -> Any:
        return getattr(self._docker, name)

    def containers(self, project: str) -> tuple[Container, ...]:
        found = self._docker.containers(project)
        return (*found, *map(self._seen, self._known)) if project == self._project else found

    def container(self, id: str) -> Container | None:
        unit = unit_of_id(id)
        return self._seen(unit) if unit else self._docker.container(id)

    def those(self, ids: Sequence[str]) -> tuple[Container, ...]:
        units = [self._seen(unit) for unit in map(unit_of_id, ids) if unit]
        return (*units, *self._docker.those([id_ for id_ in ids if not unit_of_id(id_)]))

    def _seen(self, unit: str) -> Container:
        """Return a unit as a container: it runs while systemd says so, or while anybody listens where it would."""
        service, address = self._known.get(unit, (None, ""))
        state, listens = self._units.state(unit), bool(address) and self._units.listens(address)
        runs = state.is_active or listens
        return Container(
            id=id_of_unit(unit),
            name=unit,
            service=service,
            state="running" if runs else "exited",
            health="none" if not runs else "healthy" if listens else "starting",
            restart_count=state.restarts,
            started_at=datetime.fromtimestamp(state.since, UTC).isoformat() if state.since else "",
            started_seconds=state.since,
            stop_seconds=GRACE_SECONDS,
            address=HERE if runs else None,
            doubt=not runs and not state.is_known,
        )

    def stop(self, id: str, seconds: int) -> None:
        if unit := unit_of_id(id):
            self._stop(unit, seconds)
        else:
            self._docker.stop(id, seconds)

    def stop_all(self, graces: Mapping[str, int], after: Mapping[str, Collection[str]] | None = None) -> None:
        """Stop units first: they hold what takes longest to come back."""
        for id_, seconds in graces.items():
            if unit := unit_of_id(id_):
                self._stop(unit, seconds)
        self._docker.stop_all({id_: seconds for id_, seconds in graces.items() if not unit_of_id(id_)}, after)

    def _stop(self, unit: str, seconds: int) -> None:
        """Have a unit stopped; whether it is everybody sees for himself, as with a container that will not die."""
        try:
            self._units.stop(unit, seconds + MARGIN_SECONDS)
        except UnitFailed:
            return

    def start(self, id: str) -> None:
        unit = unit_of_id(id)
        if unit is None:
            self._docker.start(id)
            return
        try:
            self._units.start(unit, START_SECONDS)
        except UnitFailed as error:
            raise StartFailed(str(error)) from None

    def start_all(self, ids: Collection[str]) -> dict[str, str]:
        failed = {}
        for id_ in filter(unit_of_id, ids):
            try:
                self.start(id_)
            except StartFailed as error:
                failed[id_] = str(error)
        return failed | self._docker.start_all([id_ for id_ in ids if not unit_of_id(id_)])

    def memory_of(self, id: str) -> int | None:
        return None if unit_of_id(id) else self._docker.memory_of(id)

    def memories_of(self, ids: Sequence[str]) -> dict[str, int | None]:
        of_units: dict[str, int | None] = dict.fromkeys(filter(unit_of_id, ids))
        return of_units | self._docker.memories_of([id_ for id_ in ids if not unit_of_id(id_)])

    def last_lines(self, id: str, count: int, since: float = 0.0) -> tuple[str, ...]:
        return () if unit_of_id(id) else self._docker.last_lines(id, count, since)
