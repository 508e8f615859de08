"""What a request names, gathered while its names are looked up, until it is a target."""

from collections.abc import Iterable

from spark_mode.errors import ConfigurationError
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.suggestion import or_elsewhere, suggest
from spark_mode.lab.workload import COMMAND, Workload
from spark_mode.planning.mode import base_services
from spark_mode.planning.named_workload import require_read
from spark_mode.planning.target import Target


class Collector:
    """Gathers services, models and variants while names are looked up."""

    def __init__(self, project: Project, rules: Rules) -> None:
        self.project, self.rules = project, rules
        self.services: list[str] = []
        self.models: list[str] = []
        self.variants: dict[str, str] = {}
        self.only_outside: list[str] = []

    def profile(self, name: str) -> None:
        services = self.project.of_profile(name)
        self.services += sorted(services, key=self._position)
        if name in self.rules.profiles:
            self.needed(self.rules.profiles[name].models)

    def needed(self, models: tuple[str, ...]) -> None:
        """Take models that are needed, with their hosts."""
        hosts = (self.rules.service_of(self.rules.workloads[model]) for model in models)
        self.services += [host for host in dict.fromkeys(hosts) if host in self.project.services and host not in self.services]
        self.models += models

    def workload(self, workload: Workload) -> None:
        service = self.rules.service_of(workload)
        if workload.only_outside:
            self.only_outside.append(workload.name)
            return
        if service is None:
            self.models.append(workload.name)
            return
        self.service(service, workload.name)
        if workload.model:
            self.models.append(workload.name)
        if workload.variant:
            self.variants[service] = workload.variant

    def service(self, name: str, where: str) -> None:
        """Take a service that `where` in rules.yaml says it runs in. Raises ConfigurationError."""
        if name not in self.project.services:
            said = f'{where}: rules.yaml says it runs in the service "{name}", '
            if meant := self.project.namesakes(name):
                message = f"{said}and several projects have one of that name"
                raise ConfigurationError(message, f"name one of them in rules.yaml: {', '.join(meant)}")
            require_read(self.project, name, f"{where} runs in the service {name}")
            other = f", or, for a plain command, {COMMAND} in its place" if where in self.rules.workloads else ""
            raise ConfigurationError(
                f"{said}which the Compose files do not have{suggest(name, self.project.services)}",
                f"correct the service in rules.yaml, or add it to the Compose files{other}"
                f"{or_elsewhere(name, self.project.services)}",
            )
        self.services.append(name)

    def target(self, named: Iterable[str], scope: frozenset[str], mode: str | None, base: bool = True) -> Target:
        """Return the target: what was taken, and with `base` what comes along because it has no profile.

        Raises ConfigurationError for a service of which there is nothing to start.
        """
        project = self.project
        for name in self.services:
            if project.services[name].replicas == 0:
                raise ConfigurationError(
                    f"{name} has 0 replicas in the Compose files, so there is nothing to start",
                    "to have it started give it deploy.replicas 1, or no such line, which is the same",
                )
        along = base_services(project, self.rules, self.services) if base else ()
        services = project.closure([*self.services, *along])
        return Target(
            services=services,
            named=project.closure([*named, *self.services]),
            models=tuple(dict.fromkeys(self.models)),
            variants=self.variants,
            scope=scope,
            mode=mode,
            only_outside=tuple(dict.fromkeys(self.only_outside)),
        )

    def _position(self, service: str) -> tuple[int, str]:
        """Order services as rules.yaml does, hosts after workloads: `config` sorts them by name."""
        workload = self.rules.of_service(service)
        return (self.rules.position(workload.name) if workload else len(self.rules.workloads), service)
