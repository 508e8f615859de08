"""What Docker itself refuses together, as rules: services that publish one port of the machine, or have one name.

They stand after those of rules.yaml, and speak of services: in `planning/conflicts.py` each member has its service's label, too.
"""

from collections.abc import Iterable, Iterator

from spark_mode.lab.project import Project
from spark_mode.lab.replicas import all_of_it
from spark_mode.lab.rules import Exclusive, Rules
from spark_mode.lab.service import Port, Service

_NAMED = "by nature: "
"""How the name of such a rule begins, and no other does: a name in rules.yaml has no space."""

_SERVICE = "service "


def with_nature(rules: Rules, project: Project) -> Rules:
    """Return the rules with what a project adds by nature, in place of what any other project did.

    What all replicas of a service take counts, of its workload and of one that no workload describes.
    """
    own = (rule for rule in rules.rules if not is_by_nature(rule.name))
    workloads = {name: all_of_it(one, project) for name, one in rules.workloads.items()}
    several = {name: one.replicas for name, one in project.services.items() if one.replicas > 1}
    told = {"rules": (*own, *_same_name(project), *_same_port(project)), "workloads": workloads, "replicas": several}
    return rules.model_copy(update=told)


def without_nature(rules: Rules) -> Rules:
    """Return the rules as they would be written, whatever project they are for."""
    return with_nature(rules, Project(name=""))


def is_by_nature(rule: str) -> bool:
    """Whether a rule of this name is Docker's, and not one of rules.yaml."""
    return rule.startswith(_NAMED)


def labels_by_nature(service: str | None, rules: Rules) -> frozenset[str]:
    """Return the label under which rules by nature speak of a service, none where they do not."""
    label = _label(service or "")
    is_told = any(isinstance(rule, Exclusive) and label in rule.exclusive for rule in rules.rules)
    return frozenset({label}) if is_told else frozenset()


def is_label_by_nature(label: str) -> bool:
    """Whether this is how rules by nature speak of a service."""
    return label.startswith(_SERVICE)


def names_of(service: Service, project: Project) -> tuple[str, ...]:
    """Return the names of a service's containers: its own, or those that Compose gives by default."""
    if service.container_name:
        return (service.container_name,)
    own, name = service.project or project.name, service.plain or service.name
    return tuple(f"{own}-{name}-{number}" for number in range(1, service.replicas + 1))


def _label(service: str) -> str:
    """Return what no class and no workload is called, because a name has no space."""
    return f"{_SERVICE}{service}"


def _same_name(project: Project) -> Iterator[Exclusive]:
    names = dict.fromkeys(one.container_name for one in project.services.values() if one.container_name)
    for name in names:
        services = [service for service, one in project.services.items() if name in names_of(one, project)]
        if len(services) > 1:
            yield _exclusive(name, services, f"both are named {name}")


def _same_port(project: Project) -> Iterator[Exclusive]:
    """Yield a rule for each set of services that meet at the same ports; it names the first of them."""
    by_number: dict[tuple[int, str], dict[tuple[str, str], Port]] = {}
    for name, service in project.services.items():
        for port in service.ports:
            by_number.setdefault((port.number, port.protocol), {})[name, port.address] = port
    meetings: dict[tuple[str, ...], list[Port]] = {}
    for published in by_number.values():
        for port in dict.fromkeys(published.values()):
            services = tuple(dict.fromkeys(name for name, address in published if address in _addresses(port)))
            if len(services) > 1:
                meetings.setdefault(services, []).append(port)
    for services, (first, *more) in meetings.items():
        yield _exclusive(str(first), services, f"both publish {first}{f' and {len(more)} more' if more else ''}")


def _addresses(port: Port) -> tuple[str, ...]:
    """Return the addresses that have the one of a port: it itself, and those that stand for it (measured)."""
    return (port.address, "", "::" if ":" in port.address else "0.0.0.0")  # noqa: S104 - it binds nothing


def _exclusive(of: str, services: Iterable[str], because: str) -> Exclusive:
    members = tuple(map(_label, services))
    return Exclusive.model_construct(name=f"{_NAMED}{of}", because=because, advice=None, exclusive=members)
