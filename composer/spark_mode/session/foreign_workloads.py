"""Which containers that are not of the lab's project are its workloads all the same: the lab under another name, and others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import realpath

from spark_mode.engine.answers import PROJECT
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import SCOPE
from spark_mode.lab.units import unit_of_id
from spark_mode.lab.workload import ForeignPattern
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import Command, ForeignContainer, ForeignWorkload
from spark_mode.planning.mode import needed_models
from spark_mode.sharing.leases import Lease

WORKLOAD = "org.spark-mode.workload"
"""The label with which a container says which workload or host of models it is, whoever started it."""


def foreign_workloads(
    others: Sequence[ForeignContainer], rules: Rules, project: Project, files: Mapping[str, str]
) -> tuple[ForeignWorkload, ...]:
    """Return what of these the rules speak of: each under every name that it has, and the models that its profiles need.

    `files` are the lab's own Compose files, each with the name of its project. A lab of its own has nothing foreign.
    """
    if rules.scope == "project":
        return ()
    own = {realpath(file): name for file, name in files.items()}
    found = [
        ForeignWorkload(name=name, container=one.container, project=one.project)
        for one in (_as_in_lab(other, own, project) for other in others)
        if one.labels.get(SCOPE) != "project"
        for name in dict.fromkeys(_names(one, rules, project, own))
    ]
    return (*found, *_models(found, rules, project))


def hidden_from_others(others: Sequence[ForeignContainer], rules: Rules, project: Project) -> tuple[str, ...]:
    """Return the services, and running containers, of a lab of the machine that no other lab sees: their label says so.

    `others` are the active containers of all projects, this one's included.
    """
    if rules.scope == "project":
        return ()
    services = [name for name, service in project.services.items() if service.scope == "project"]
    own = [other for other in others if other.project in project.names and other.labels.get(SCOPE) == "project"]
    hidden = [(other.container.name, project.lab_name(other.project or "", other.container.service or "")) for other in own]
    return (*services, *(name for name, service in hidden if service not in services))


def named_in_lab(container: Container, name: str, project: Project) -> Container:
    """Return a container of the Compose project of this name with the names that the lab has for services; a unit is of none."""
    if not project.parts or unit_of_id(container.id):
        return container
    service = container.service and project.lab_name(name, container.service)
    needs = tuple(project.lab_name(name, other) for other in container.depends_on)
    return container.model_copy(update={"service": service, "depends_on": needs, "project": name})


def leased_workloads(leases: Iterable[Lease], rules: Rules, project: Project) -> Iterator[ForeignWorkload]:
    """Yield what others were allowed to start under other names, and have not started yet."""
    for one in leases:
        if name := _of_service(one.service, rules, project):
            yield ForeignWorkload(name=name, container=one.as_container(), project=one.project)


def commanded_workloads(commands: Iterable[Command], rules: Rules) -> Iterator[ForeignWorkload]:
    """Yield the commands that run, each as its workload; where rules.yaml has none of that name as one of its class."""
    for one in commands:
        alike = (known.name for known in rules.workloads.values() if known.class_ == one.class_ and not known.model)
        name = one.workload if one.workload in rules.workloads else next(alike, None)
        if name:
            yield ForeignWorkload(name=name, container=one.as_container(), project=one.project, command=one)


def _as_in_lab(other: ForeignContainer, own: Mapping[str, str], project: Project) -> ForeignContainer:
    """Return a container that was made from the lab's files with the names that services have there."""
    of = _project_of(other, own)
    return other if of is None else other.model_copy(update={"container": named_in_lab(other.container, of, project)})


def _names(other: ForeignContainer, rules: Rules, project: Project, own: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of the lab that another container has."""
    service = other.container.service
    if service and _project_of(other, own) and (name := _of_service(service, rules, project)):
        yield name
    if label := other.labels.get(WORKLOAD):
        yield from _labelled(label, rules)
    for workload in rules.workloads.values():
        if any(_matches(pattern, other) for pattern in workload.outside):
            yield workload.name


def _of_service(service: str, rules: Rules, project: Project) -> str | None:
    """Return how the rules speak of a service of the lab; its own name for one that they leave out."""
    if workload := rules.of_service(service):
        return workload.name
    return service if rules.host_of_service(service) or service in project.services else None


def _project_of(other: ForeignContainer, own: Mapping[str, str]) -> str | None:
    """Return of which project the file is that Compose made a container from; it writes absolute paths with commas between."""
    files = other.labels.get(f"{PROJECT}.config_files", "").split(",")
    return next((own[path] for file in files if file.startswith("/") and (path := realpath(file)) in own), None)


def _labelled(label: str, rules: Rules) -> Iterator[str]:
    """Yield what a label names: a workload by its name, alias or service, or a host of models by its name or service."""
    if workload := rules.find(label) or rules.of_service(label):
        yield workload.name
    elif rules.host_of_service(label):
        yield label
    elif (host := rules.hosts.get(label)) and host.service:
        yield host.service


def _models(found: Iterable[ForeignWorkload], rules: Rules, project: Project) -> Iterator[ForeignWorkload]:
    """Yield the models that any client may have a foreign host load: those of the profiles that run whole beside it."""
    by_project: dict[str | None, dict[str, ForeignWorkload]] = {}
    for one in found:
        by_project.setdefault(one.project, {})[one.container.service or one.name] = one
    for there in by_project.values():
        for name in needed_models(there.keys(), project, rules):
            if host := there.get(rules.service_of(rules.workloads[name]) or ""):
                yield host.model_copy(update={"name": name})


def _matches(pattern: ForeignPattern, other: ForeignContainer) -> bool:
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
