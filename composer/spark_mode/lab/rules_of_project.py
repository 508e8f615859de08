"""What rules.yaml leaves to the Compose project: the class of a mode, and what a service without a GPU counts."""

from collections.abc import Iterable, Iterator, Sequence

from spark_mode.lab.joined import with_lab_names
from spark_mode.lab.project import Project
from spark_mode.lab.rules import WITHOUT_GPU, AtMost, Exclusive, Mode, Rules
from spark_mode.lab.size import gb_text
from spark_mode.lab.suggestion import suggest


def with_project(rules: Rules, project: Project) -> Rules:
    """Return the rules of a file with what the project tells of them.

    A mode of which it does not tell the class has none, and cannot be used; the others can.
    """
    rules = with_lab_names(rules, project)
    told = dict(rules.modes)
    for name, mode in rules.modes.items():
        if not mode.class_ and {*mode.profiles, *mode.services} <= {*project.profiles, *project.services}:
            classes = classes_of_mode(mode, rules, project)
            if len(classes) == 1:
                told[name] = mode.model_copy(update={"class_": classes[0]})
    return rules.model_copy(update={"modes": told, "without_gpu": frozenset(_without_gpu(rules, project))})


def absent_services(rules: Rules, project: Project, meant: Sequence[str]) -> Iterator[str]:
    """Yield what rules.yaml says of services that the Compose files do not have, and by which one of those `meant` may be."""
    for section, entries in (("workloads", rules.workloads), ("hosts", rules.hosts)):
        for name, entry in entries.items():
            if entry.service is None or entry.service in project.services:
                continue
            if namesakes := {*project.namesakes(entry.service)} & {*meant}:
                yield f"{section}/{name}/service: several projects have a service {entry.service}; it is {' or '.join(namesakes)}"
            elif near := suggest(entry.service, meant):
                yield f"{section}/{name}/service: the Compose files have no service {entry.service}{near}"


def classes_of_target(services: Iterable[str], models: Iterable[str], rules: Rules) -> frozenset[str]:
    """Return the classes of services, of the models that they serve, and of models."""
    names = list(services)
    return frozenset([*_of_services(names, rules), *_served_by(names, rules), *(rules.workloads[name].class_ for name in models)])


def rule_about(class_: str, rules: Rules) -> str | None:
    """Return the name of the first rule that keeps what is of a class apart from anything; None where none does."""
    apart = (
        (one.name, one.exclusive if isinstance(one, Exclusive) else one.of)
        for one in rules.rules
        if isinstance(one, Exclusive | AtMost)
    )
    return next((name for name, members in apart if class_ in members), None)


def assumed_of_project(written: Rules, whole: Rules, project: Project) -> dict[str, str]:
    """Return what the project has told of rules that were written without it: in words, by section."""
    unsaid = {name for name, mode in written.modes.items() if not mode.class_}
    modes = [f"{name} of class {mode.class_}" for name, mode in whole.modes.items() if name in unsaid and mode.class_]
    small = [name for name in project.services if name in whole.without_gpu]
    each = f"{gb_text(WITHOUT_GPU.planned)} for {'each of ' * (len(small) > 1)}{', '.join(small)}" if small else ""
    said = {"modes": ", ".join(modes), "default_footprint": each}
    return {section: words for section, words in said.items() if words}


def classes_of_mode(mode: Mode, rules: Rules, project: Project) -> tuple[str, ...]:
    """Return the classes of what a mode runs itself; else of the models it needs or serves, else of all that comes along."""
    own = [*mode.services, *(service for profile in mode.profiles for service in project.of_profile(profile))]
    needs = [one.models for profile in mode.profiles if (one := rules.profiles.get(profile))]
    needed = [rules.workloads[model].class_ for models in (*needs, mode.models) for model in models]
    for found in (_of_services(own, rules), needed, _served_by(own, rules), _of_services(project.closure(own), rules)):
        if classes := tuple(dict.fromkeys(found)):
            return classes
    return ()


def _of_services(services: Iterable[str], rules: Rules) -> list[str]:
    return [workload.class_ for service in services if (workload := rules.of_service(service))]


def _served_by(services: Iterable[str], rules: Rules) -> list[str]:
    return [model.class_ for service in services for model in rules.models_of_host(rules.host_of_service(service) or "")]


def _without_gpu(rules: Rules, project: Project) -> Iterator[str]:
    """Yield the services that count little, where the file says nothing of such services."""
    for name, service in project.services.items():
        described = rules.of_service(name) or rules.host_of_service(name) or rules.default_footprint
        if not described and not service.reserves_gpu and not service.provider:
            yield name
