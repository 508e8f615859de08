"""Looking: from the doors to one snapshot that planning can read. Every look asks anew; nothing is remembered."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from spark_mode.engine.doors import Docker, HostAbsent, HostFailed, Machine, ModelHost
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.mode import known_models
from spark_mode.planning.observed import Endings, Hold, LoadedModel, Observed
from spark_mode.session.foreign_workloads import commanded_workloads, foreign_workloads, leased_workloads, named_in_lab
from spark_mode.sharing.leases import Lease

Hosts = Callable[[str], ModelHost]
"""Gives the host of models at an address."""


def host_at(address: str) -> ModelHost:
    """Return the host at an address."""
    from spark_mode.engine.ollama import OllamaApi  # 60 ms, which only a lab with a running host pays

    return OllamaApi(address)


def loaded_outside(hosts: Hosts, rules: Rules) -> frozenset[tuple[str, str]]:
    """Return what hosts outside Docker have loaded, by host and model, and those that systemd runs with no model; nothing of one
    that does not say.
    """
    found = set[tuple[str, str]]()
    for name, host in rules.hosts.items():
        if host.address and (host.unit or host.service is None):
            with suppress(HostFailed):
                found |= {(name, one.model) for one in hosts(host.address).loaded()} | ({(name, "")} if host.unit else set())
    return frozenset(found)


def containers_of(project: Project, docker: Docker) -> tuple[Container, ...]:
    """Return the containers of a lab, in the order of its Compose projects. Raises EngineUnavailable."""
    return _of_lab({name: docker.containers(name) for name in project.names}, project)


def _of_lab(listed: Mapping[str, tuple[Container, ...]], project: Project) -> tuple[Container, ...]:
    """Return those of these containers, by Compose project, that are the lab's, each with the names that it has there."""
    return tuple(named_in_lab(one, name, project) for name in project.names for one in listed[name])


class Observer:
    """Sees one lab on one machine. `admitted` are the models that the last switch admitted, `holds` what was ever held.

    `endings` says how containers ended, as far as switches know it.

    `leases` gives what others were allowed to start; it counts as active. `files` are the lab's own Compose files, each with the
    name of its project: what was made from one of them under another name is foreign, and counts. So are the `commands`
    that run.

    All looks raise EngineUnavailable when the engine cannot be asked.
    """

    def __init__(
        self,
        docker: Docker,
        machine: Machine,
        hosts: Hosts,
        project: Project,
        rules: Rules,
        admitted: tuple[str, ...],
        holds: tuple[Hold, ...] = (),
        leases: Callable[[], tuple[Lease, ...]] = tuple,
        files: Mapping[str, str] = MappingProxyType({}),
        endings: Endings | None = None,
        commands: Callable[[], tuple[Command, ...]] = tuple,
    ) -> None:
        self._docker, self._machine, self._hosts = docker, machine, hosts
        self._project, self._rules, self._admitted = project, rules, admitted
        self._holds, self._leases, self._files, self._endings = holds, leases, files, endings or Endings()
        self._commands = commands

    def observe_running(self, all_hosts: bool = False) -> Observed:
        """Return what changes from moment to moment: the containers, the leases, the memory, and what hosts have loaded.

        That is what is looked at before each start. A host in Docker counts by its container there, so it is asked what it
        has loaded only with `all_hosts`; a daemon always is. What the engine is and has (its runtimes, images, networks and
        volumes) is left empty.
        """
        commands = self._commands()  # first, as leases: one that ends meanwhile is still seen
        leases = self._leases()  # first: one that ends while the containers are listed is still seen, or its container is
        own = self._project.names
        listed = {name: self._docker.containers(name) for name in {*own, *(one.project for one in leases)}}
        containers = _of_lab(listed, self._project)
        unused = [one for one in leases if not one.is_used(listed[one.project])]
        waiting = [one.of_lab(self._project) for one in unused if one.project in own]
        others = tuple(one for one in self._docker.others(own[0]) if one.project not in own)
        active = {one.service for one in containers if one.active}
        observed = Observed(
            containers=(*containers, *(one.as_container() for one in waiting if one.service not in active)),
            foreign=(
                *foreign_workloads(others, self._rules, self._project, self._files),
                *leased_workloads([one for one in unused if one.project not in own], self._rules, self._project),
                *commanded_workloads(commands, self._rules),
            ),
            others=others,
            memory=self._machine.memory(),
            endings=self._endings,
        )
        names = [name for name, host in self._rules.hosts.items() if all_hosts or host.service is None]
        loaded, absent = self._ask({name: address for name in names if (address := self.address_of(name, observed))})
        ids = {one.id for one in observed.active}
        held = (*(hold for hold in self._holds if ids.intersection(hold.containers)), *(one.as_hold() for one in waiting))
        observed = observed.model_copy(update={"loaded": loaded, "absent": absent, "held": held})
        models = known_models(observed, self._project, self._rules, self._admitted)
        return observed.model_copy(update={"models": models})

    def observe_all(self) -> Observed:
        """Return everything that a plan depends on."""
        own = self._project.names
        images = dict.fromkeys(service.image for service in self._project.services.values() if service.image)
        seen = self.observe_running(all_hosts=True)
        return seen.model_copy(
            update={
                "gpu_runtime": self._docker.identity().gpu_runtime,
                "images": self._docker.images(tuple(images)),
                "networks": {key: one for name in own for key, one in self._docker.networks(name).items()},
                "volumes": {key: one for name in own for key, one in self._docker.volumes(name).items()},
                "gone_networks": self._gone_networks(seen.containers),
            }
        )

    def _gone_networks(self, containers: tuple[Container, ...]) -> tuple[str, ...]:
        """Return what stopped containers join and is not there: `down` removes a network that only they are left with."""
        joined = {network for one in containers if not one.active for network in one.networks}
        return tuple(sorted(joined - self._docker.network_names())) if joined else ()

    def address_of(self, name: str, observed: Observed) -> str | None:
        """Return where a host of models answers; None while its service does not run."""
        host = self._rules.hosts[name]
        if host.service is None:
            return host.address
        container = observed.container_of(host.service)
        if container is None or container.address is None:
            return None
        return host.address or f"http://{container.address}:{host.port}"

    def _ask(self, addresses: dict[str, str]) -> tuple[dict[str, tuple[LoadedModel, ...] | None], tuple[str, ...]]:
        """Return what each host has loaded, and those of them where nobody listens: these have nothing loaded."""
        loaded: dict[str, tuple[LoadedModel, ...] | None] = {}
        absent = []
        for name, address in addresses.items():
            try:
                loaded[name] = self._loaded(name, address)
            except HostAbsent:
                loaded[name] = ()
                absent.append(name)
        return loaded, tuple(absent)

    def _loaded(self, name: str, address: str) -> tuple[LoadedModel, ...] | None:
        """Return what a host has loaded, None where it does not say. Raises HostAbsent."""
        try:
            listed = self._hosts(address).loaded()
        except HostAbsent:
            raise
        except HostFailed:
            return None
        known = ((one, self._rules.model_of(name, one.model)) for one in listed)
        return tuple(
            LoadedModel(
                host=name,
                model=one.model,
                size=one.size,
                workload=workload.name if workload else None,
                context_length=one.context_length,
                expires_at=one.expires_at,
            )
            for one, workload in known
        )
