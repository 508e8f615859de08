"""A lab of several Compose projects as one: each keeps its own name, files, volumes and networks, and the lab plans over all.

A service is known by its own name; where two projects have one of that name, as `project/service`, and so is a profile of one
project alone. What is written so is understood everywhere. Dependencies and shared namespaces stay within a project.
"""

from collections import Counter
from collections.abc import Sequence

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Host, Mode, Rules
from spark_mode.lab.service import Service
from spark_mode.lab.workload import Workload


def joined(parts: Sequence[Project]) -> Project:
    """Return several Compose projects, of different names, as one under the name of the first; a single one as it is.

    What Compose cannot read has a name and, as what is `unusable` of it, the reason.
    """
    if len(parts) == 1:
        return parts[0]
    whole = Project(name=parts[0].name, parts=tuple(parts), compose=next(filter(None, (one.compose for one in parts)), ""))
    shared = Counter(profile for part in parts for profile in {*part.profiles, *part.unusable})
    services = [_of_lab(one, part, whole, shared) for part in parts for one in part.services.values()]
    return whole.model_copy(
        update={
            "services": {one.name: one for one in services},
            "networks": {name: hash_ for part in parts for name, hash_ in part.networks.items()},
            "volumes": {name: hash_ for part in parts for name, hash_ in part.volumes.items()},
            "unusable": _unusable(parts, shared),
        }
    )


def with_lab_names(rules: Rules, project: Project) -> Rules:
    """Return the rules with the services and profiles that they name as `project/name` as the lab knows them."""
    if not project.parts:
        return rules
    named = project.known_as

    def workload(one: Workload) -> Workload:
        return one.model_copy(update={"service": one.service and named(one.service)})

    def host(one: Host) -> Host:
        return one.model_copy(update={"service": one.service and named(one.service)})

    def mode(one: Mode) -> Mode:
        profiles = tuple(map(project.profile_known_as, one.profiles))
        return one.model_copy(update={"services": tuple(map(named, one.services)), "profiles": profiles})

    return rules.model_copy(
        update={
            "workloads": {name: workload(one) for name, one in rules.workloads.items()},
            "hosts": {name: host(one) for name, one in rules.hosts.items()},
            "modes": {name: mode(one) for name, one in rules.modes.items()},
            "profiles": {project.profile_known_as(name): one for name, one in rules.profiles.items()},
            "namesakes": {name: one.plain for name, one in project.services.items() if one.plain not in ("", name)},
        }
    )


def untold(service: str, project: str | None) -> str:
    """Return the Compose project that the name of a service does not tell already; nothing where it does, or there is none."""
    return "" if project is None or service.startswith(f"{project}/") else project


def _of_lab(one: Service, part: Project, whole: Project, shared: Counter[str]) -> Service:
    """Return a service of a project as the lab knows it, with all that it names."""

    def named(service: str) -> str:
        return whole.lab_name(part.name, service)

    profiles = [
        name for profile in one.profiles for name in (profile, f"{part.name}/{profile}") if name == profile or shared[profile] > 1
    ]
    return one.model_copy(
        update={
            "name": named(one.name),
            "project": part.name,
            "plain": one.name,
            "profiles": tuple(profiles),
            "depends_on": {named(other): how for other, how in one.depends_on.items()},
            "shares": tuple(map(named, one.shares)),
            "joins": tuple(map(named, one.joins)),
        }
    )


def _unusable(parts: Sequence[Project], shared: Counter[str]) -> dict[str, str]:
    """Return why profiles cannot be used; of nothing where a project is left that can be."""
    found = {
        profile if shared[profile] < 2 else f"{part.name}/{profile}": fault
        for part in parts
        for profile, fault in part.unusable.items()
        if profile
    }
    faults = [f"{part.name}: {part.unusable['']}" for part in parts if "" in part.unusable]
    return {"": "; ".join(faults)} if len(faults) == len(parts) else found
