"""What a plan has to do: the target beside what was observed, worked out once for all who plan."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.lab.workload import Workload
from spark_mode.planning.completion import completed_of, ends_well
from spark_mode.planning.container import Container
from spark_mode.planning.naming import name_holders
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Preemption
from spark_mode.planning.request import Request
from spark_mode.planning.shared_parts import adrift, parted_from
from spark_mode.planning.target import Target, is_other_variant, variant_of, workloads


class PlannedStop(NamedTuple):
    """A service to stop, or a model to unload, the cause in words, and the preemption that it is.

    One that was asked for is none. `host` is given for a model that no workload describes.
    """

    name: str
    cause: str
    preemption: Preemption | None
    is_model: bool = False
    host: str | None = None


@dataclass(frozen=True)
class PlanningProblem:
    """What a plan has to do. `stopped` is what must go for the target.

    To work out `stopped` the problem is made without it first. Until it is made again with it, some things here are not what they
    say, because they depend on it: `gone_services`, `gone_models`, `remaining`, `starting_workloads`, `starting_names` and
    `released`.
    """

    request: Request
    target: Target
    project: Project
    rules: Rules
    observed: Observed
    stopped: tuple[PlannedStop, ...] = ()

    @cached_property
    def done(self) -> frozenset[str]:
        """The services of the target for which exit 0 is success."""
        return ends_well(self.target.services, self.project, self.rules)

    @cached_property
    def completed(self) -> frozenset[str]:
        """The services of the target that have ended as they should and do not run again."""
        is_mode = self.target.mode is not None
        return completed_of(self.target.services, is_mode, self.observed, self.project, self.rules)

    @cached_property
    def other_variants(self) -> tuple[str, ...]:
        """The services that run in another variant than the one asked for."""
        return tuple(name for name in self.target.services if is_other_variant(name, self.target, self.rules, self.observed))

    @cached_property
    def to_start(self) -> tuple[str, ...]:
        """The services to start, dependencies first."""
        found: list[str] = []
        for name in self.target.services:
            if name in self.other_variants or not self._is_up(name) or self._adrift(name, found):
                found.append(name)
        return tuple(found)

    @cached_property
    def renewed(self) -> dict[str, str]:
        """The services that run and are stopped, created and started again, with the causes."""
        asked = f"{self.request} asks for another variant"
        causes = {name: asked if name in self.other_variants else self._adrift(name, self.to_start) for name in self.to_start}
        return {name: cause for name, cause in causes.items() if cause}

    @cached_property
    def to_create(self) -> tuple[str, ...]:
        """The services whose container is missing or no longer what the files say, or that are made anew while they run."""
        return tuple(name for name in self.to_start if name in self.renewed or name in self._outdated)

    def is_cut_off(self, name: str) -> bool:
        """Whether a stopped container joins a network that is gone: nothing starts it, and Compose would keep it."""
        stopped = (one for one in self._replicas(name) if not one.active)
        return any(not self._gone_networks.isdisjoint(one.networks) for one in stopped)

    @cached_property
    def _gone_networks(self) -> frozenset[str]:
        return frozenset(self.observed.gone_networks)

    @cached_property
    def name_holders(self) -> dict[str, Container]:
        """The container that has the name of each service to create, where another service's has it."""
        return name_holders(self.to_create, self.project, self.observed)

    @cached_property
    def created_late(self) -> tuple[str, ...]:
        """The services that can be created only after the stops: what is there now is in their place, or has their name.

        So is what shares with one of them.
        """
        late: dict[str, None] = {}
        for name in self.to_create:  # dependencies first
            if (
                name in self.renewed
                or name in self.name_holders
                or not late.keys().isdisjoint(self.project.services[name].shares)
            ):
                late[name] = None
        return tuple(late)

    @cached_property
    def asked_for(self) -> tuple[Workload, ...]:
        """The workloads of the target, in their variants."""
        return workloads(self.target, self.rules, self.observed)

    @cached_property
    def gone_services(self) -> frozenset[str]:
        """The services that are stopped."""
        return frozenset(one.name for one in self.stopped if not one.is_model)

    @cached_property
    def gone_models(self) -> frozenset[str]:
        """The models that are no longer there: unloaded, no longer wanted, or gone with their host."""
        hosted = {
            name for name in self.observed.models if self.rules.service_of(self.rules.workloads[name]) in self.gone_services
        }
        return frozenset(hosted | {one.name for one in self.stopped if one.is_model})

    @cached_property
    def remaining(self) -> Observed:
        """What is still there once everything that must go is gone."""
        return self.observed.without(self.gone_services, self.gone_models)

    @cached_property
    def starting_workloads(self) -> tuple[Workload, ...]:
        """The workloads that will take memory: services to start, and models that are admitted and not loaded yet."""
        services, models = set(self.to_start), dict.fromkeys([*self.target.models, *self.remaining.models])
        starting = [one for one in self.asked_for if one.service in services or one is self.target.command]
        return (*starting, *(one for name in models if not self.observed.holds(one := self.rules.workloads[name])))

    @cached_property
    def to_load(self) -> tuple[Workload, ...]:
        """The models that are loaded at once: those given with `--with` that their hosts do not have yet."""
        found = (self.rules.find(name) for name in self.request.extra if self.request.verb != "restore")
        return tuple(one for one in found if one and one.model and not self.observed.holds(one))

    @cached_property
    def starting_names(self) -> tuple[str, ...]:
        """What the memory is for, by name: the workloads that take it, or services without a footprint, as hosts are."""
        return tuple(one.label for one in self.starting_workloads) or self.to_start

    @cached_property
    def after(self) -> tuple[Workload, ...]:
        """What counts once all is done: what stays, as often as it runs, and what comes."""
        there, coming = self.observed.models, self.to_start
        whole = {*self.renewed, *(name for name in coming if self.project.services[name].replicas > 1)}
        staying = [one for one in self.remaining.copies(self.rules) if one.service not in whole]
        new = (one for one in self.asked_for if one.service in coming or (one.model and one.name not in there))
        return (*staying, *new, *([self.target.command] if self.target.command else []))

    @cached_property
    def released(self) -> tuple[Workload, ...]:
        """The workloads whose memory comes back before anything starts, as often as they run."""
        staying = Counter(one.name for one in self.remaining.copies(self.rules) if one.service not in self.renewed)
        going = []
        for one in self.observed.copies(self.rules):
            staying[one.name] -= 1
            if staying[one.name] < 0 and (not one.model or self.observed.holds(one)):
                going.append(one)
        return tuple(going)

    def parted_from(self, name: str) -> str | None:
        """Return the service whose container, which a service's own shares with, is another one or will be."""
        return parted_from(name, self.project, self.observed, self._anew(self.to_start))

    def _anew(self, starting: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in starting if name in self.other_variants or name in self._outdated)

    def _adrift(self, name: str, starting: Collection[str]) -> str | None:
        return adrift(name, self.project, self.observed, starting, self._anew(starting))

    def _is_up(self, name: str) -> bool:
        found = self._replicas(name)
        if len(found) < self.project.services[name].replicas:
            return False
        return all(one.active for one in found) or (name in self.completed and name not in self._outdated)

    def _replicas(self, name: str) -> tuple[Container, ...]:
        return self.observed.replicas_of(name, self.project.services[name].replicas)

    @cached_property
    def _outdated(self) -> frozenset[str]:
        """The services of the target for which that is so; asked of each of them beside each other one."""
        return frozenset(name for name in self.target.services if self._is_outdated(name))

    def _is_outdated(self, name: str) -> bool:
        """Whether a stopped container is missing, or not what the files and the variant say; with a variant Compose decides.

        Where one replica runs the others are created only with their start: Compose would replace the one that runs.
        """
        found, service = self._replicas(name), self.project.services[name]
        if found and found[0].active:
            return False
        if len(found) < service.replicas:
            return True
        container = found[0]
        if is_varied(name, self.target, self.rules, self.observed) or container.variant:
            return True
        return self.is_cut_off(name) or not is_current(container, service, self.observed)


def is_current(container: Container, service: Service, observed: Observed) -> bool:
    """Whether a container has the configuration and the image that its service has now."""
    image = observed.images.get(service.image or "", container.image_id)
    return container.config_hash == service.config_hash and container.image_id == image


def is_varied(name: str, target: Target, rules: Rules, observed: Observed) -> bool:
    """Whether a service shall run in a variant other than the one that the Compose file says."""
    workload = rules.of_service(name)
    return workload is not None and variant_of(name, target, rules, observed) != workload.default_variant
