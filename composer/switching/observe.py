"""Looking: from the doors to one snapshot that planning can read. Every look asks anew; nothing is remembered."""

from composer.engine.doors import Docker, Machine, Other
from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.lab.workload import Outside
from composer.planning.mode import known_models
from composer.planning.observed import Foreign, Observed


class Observer:
    """Sees one lab on one machine. `admitted` are the models that the last switch admitted.

    Both looks raise EngineUnavailable when the engine cannot be asked.
    """

    def __init__(self, docker: Docker, machine: Machine, project: Project, rules: Rules, admitted: tuple[str, ...]) -> None:
        self._docker, self._machine = docker, machine
        self._project, self._rules, self._admitted = project, rules, admitted

    def glance(self) -> Observed:
        """Return what runs and the memory: all that must be seen again before a container is started."""
        observed = Observed(
            containers=self._docker.containers(self._project.name),
            foreign=tuple(foreign_workloads(self._docker.others(self._project.name), self._rules)),
            memory=self._machine.memory(),
        )
        models = known_models(observed, self._project, self._rules, self._admitted)
        return observed.model_copy(update={"models": models})

    def look(self) -> Observed:
        """Return everything that a plan depends on."""
        images = dict.fromkeys(service.image for service in self._project.services.values() if service.image)
        return self.glance().model_copy(
            update={
                "gpu_runtime": self._docker.identity().gpu_runtime,
                "images": self._docker.images(tuple(images)),
                "networks": self._docker.networks(self._project.name),
                "volumes": self._docker.volumes(self._project.name),
            }
        )


def foreign_workloads(others: tuple[Other, ...], rules: Rules) -> list[Foreign]:
    """Return the containers outside the project that are one of the rules' workloads."""
    return [
        Foreign(workload=name, container=other.container)
        for other in others
        for name, workload in rules.workloads.items()
        if any(_matches(pattern, other) for pattern in workload.outside)
    ]


def _matches(pattern: Outside, other: Other) -> bool:
    if pattern.label is not None:
        key, _, value = pattern.label.partition("=")
        return key in other.labels and (not value or other.labels[key] == value)
    if pattern.name is not None:
        return other.container.name == pattern.name
    return _repository(other.image) == pattern.image or _repository(other.image).endswith(f"/{pattern.image}")


def _repository(image: str) -> str:
    """Return an image's name without tag and digest: `host:5000/team/ssd-tetris:1` is `host:5000/team/ssd-tetris`."""
    path, slash, last = image.partition("@")[0].rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"
