"""A project as far as a first rules.yaml is concerned: what its services are, what they take, and what fits together."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from spark_mode.init.fit import Need, Room, room
from spark_mode.init.hosts import Listed, Model, models_of
from spark_mode.init.place import Placed, for_other_hardware, place
from spark_mode.init.sizing import Size, WeightsAt, size_of
from spark_mode.init.tables import MORE_THAN_WEIGHTS
from spark_mode.init.traces import traces
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import WITHOUT_GPU, Rules
from spark_mode.lab.workload import LONGEST_NAME, NAME


class Machine(NamedTuple):
    """What is asked of the machine: its memory in bytes, the weights on its disk, what was measured, and the models, with their
    bytes, that a host lists which publishes some ports.

    `rules` are those of an empty file on it: the limits that hold where nothing is written.
    """

    memory: int
    rules: Rules
    weights_at: WeightsAt = lambda _: None
    measured: Mapping[str, Size] = {}
    listed: Listed = lambda _: {}


class Survey(NamedTuple):
    """The services of a project; the sizes of those with a GPU, None where nothing is known; and the models of its hosts."""

    project: Project
    placed: Mapping[str, Placed]
    sizes: Mapping[str, Size | None]
    models: Mapping[str, tuple[Model, ...]]
    room: Room

    def count(self, name: str) -> int:
        """Return how many containers Compose starts of a service; 1 for a model."""
        service = self.project.services.get(name)
        return service.replicas if service else 1

    @property
    def replicated(self) -> tuple[str, ...]:
        """The services without a GPU of which Compose starts several: what each takes counts so often that it is worth a line."""
        return tuple(one for one in self.project.services if not self.placed[one].gpu and self.count(one) > 1 and is_name(one))

    def helpers(self, services: Iterable[str]) -> int:
        """Return how many containers without a GPU come along with these services, or as much memory as so many take."""
        along = [one for one in self.project.closure([*services, *self.project.without_profile]) if not self.placed[one].gpu]
        class_ = -(-self.room.per_class // WITHOUT_GPU.planned) if any(one in self.replicated for one in along) else 0
        return sum(map(self.count, along)) + class_

    def mates(self, service: str) -> tuple[str, ...]:
        """Return the services of that profile of a service's which has the most; itself where it has none."""
        profiles = [self.project.of_profile(one) for one in self.project.services[service].profiles]
        return max([*profiles, (service,)], key=self.helpers)

    def planned(self, service: str) -> int:
        """Return the bytes that are planned for one container of a service with a GPU.

        All of its containers together have the whole machine where nothing is known of it.
        """
        size = self.sizes[service]
        return self.room.alone(self.helpers(self.mates(service)), self.count(service)) if size is None else size.planned

    def needs(self, services: Iterable[str]) -> list[Need]:
        """Return what these services need, with what they depend on, and the models that they ask of their hosts."""
        there = self.project.closure(services)
        own = [Need(one, self.placed[one].class_, self.planned(one) * self.count(one)) for one in there if one in self.sizes]
        return [*own, *(Need(one.name, self.placed[one.host].class_, size) for one, size in self._needed(there))]

    def needed_models(self, services: Iterable[str]) -> tuple[str, ...]:
        """Return the models of known size that these services, with what they depend on, ask of their hosts."""
        return tuple(model.name for model, _ in self._needed(self.project.closure(services)))

    def _needed(self, hosts: Iterable[str]) -> Iterator[tuple[Model, int]]:
        models = (model for host in hosts for model in self.models.get(host, ()) if model.needed)
        return ((model, model.size.planned) for model in models if model.size)

    def fits(self, services: Iterable[str]) -> bool:
        """Whether these services fit together, with all that comes along with them."""
        several = tuple(services)
        return self.room.fits(self.needs(several), self.helpers(several))


def survey(resolved: Mapping[str, Any], machine: Machine) -> Survey:
    """Return what is seen of a project, from Compose's own resolved model of it as plain data."""
    project = read_project(dict(resolved), {})
    raw = resolved["services"]
    told = {name: traces(name, raw[name], service.reserves_gpu) for name, service in project.services.items()}
    placed = place(project, told)
    there = [name for name in project.services if project.services[name].startable and not elsewhere(project, name)]
    used = [name for name in there if placed[name].gpu and is_name(name)]
    hosts = [name for name in used if placed[name].host]
    return Survey(
        project=project,
        placed=placed,
        sizes={name: _size(placed[name], machine) for name in used if name not in hosts},
        models=_models(hosts, project, placed, machine),
        room=room(machine.rules, machine.memory),
    )


def is_name(name: str) -> bool:
    """Whether rules.yaml can speak of a service: Compose has names that begin with a sign."""
    return re.fullmatch(NAME, name) is not None and len(name) <= LONGEST_NAME


def elsewhere(project: Project, name: str) -> bool:
    """Whether a service is only there for other hardware."""
    profiles = project.services[name].profiles
    return bool(profiles) and all(for_other_hardware(one) for one in profiles)


def _models(hosts: list[str], project: Project, placed: Mapping[str, Placed], machine: Machine) -> dict[str, tuple[Model, ...]]:
    """Return the models of each host, each under a name that nothing else has."""
    taken, models = set(placed), dict[str, tuple[Model, ...]]()
    for host in hosts:
        own = models_of(host, project, placed, machine.listed)
        models[host] = tuple(one._replace(name=f"{one.name}-on-{host}") if one.name in taken else one for one in own)
        taken |= {one.name for one in models[host]}
    return models


def _size(one: Placed, machine: Machine) -> Size | None:
    """Return what was measured of a service, else what its definition tells, unless that is too little for its class."""
    if (measured := machine.measured.get(one.name)) or one.class_ in MORE_THAN_WEIGHTS:
        return measured
    return size_of(one.name, one.image, one.traces, machine.memory, machine.weights_at)
