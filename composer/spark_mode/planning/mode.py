"""Which mode a lab is in, judged by what is active, and which exclusive sides are active together."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Mode, Rules
from spark_mode.planning.completion import completed_services
from spark_mode.planning.conflicts import Conflict, conflicts, foreign_member
from spark_mode.planning.container import Container
from spark_mode.planning.observed import LoadedModel, Observed


def current_mode(observed: Observed, project: Project, rules: Rules) -> str:
    """Return `audio PROFILE`, `training`, `idle`, `custom` or `unknown`.

    A mode is on when its class is active exactly with its closure, but for what runs until it is done and has ended well;
    other classes, and services without a profile, don't change it. Where no engine was asked the mode is unknown. Nothing with
    a footprint active is idle.
    """
    if not observed.complete:
        return "unknown"
    active = {container.service or "" for container in observed.active}
    if not active and not observed.foreign:
        return "idle"
    completed = completed_services(observed, project, rules)
    matching = list(_matching(active, completed, project, rules, _is_of)) or list(
        _matching(active, completed, project, rules, _serves)
    )
    whole = [one for one in matching if all(other.services <= one.services for other in matching)]
    if len(whole) == 1:
        return whole[0].text
    has_footprint = observed.workloads(rules) or any(rules.host_of_service(service) is None for service in active)
    return "custom" if has_footprint or matching else "idle"


def mode_said(mode: str) -> str:
    """Return a mode as `current_mode` names it, as people say it."""
    return "none of rules.yaml" if mode == "custom" else mode


class _On(NamedTuple):
    """A mode that may be on, and all that it runs: of several the one is on that has what the others have."""

    text: str
    services: frozenset[str]


def _matching(
    active: set[str], completed: Collection[str], project: Project, rules: Rules, shows: Callable[[Rules, str, str], bool]
) -> Iterator[_On]:
    """Yield the modes that are on, where one of their services `shows` that it is their class which runs."""
    always = set(project.closure(base_services(project, rules)))
    for name, mode in rules.modes.items():
        running = {service for service in active if _is_of(rules, service, mode.class_)}
        shown = {service for service in active if shows(rules, service, mode.class_)}
        for profile in mode.choices:
            closure = set(project.closure(services_of(mode, profile, project)))
            if closure & shown and closure <= active | set(completed) and running <= closure | always:
                yield _On(mode_text(rules, name, profile), frozenset(closure))


def _is_of(rules: Rules, service: str, kind: str) -> bool:
    workload = rules.of_service(service)
    return workload is not None and workload.class_ == kind


def _serves(rules: Rules, service: str, kind: str) -> bool:
    """Whether a service is a host of models of a class: all that some modes of that class run."""
    return any(model.class_ == kind for model in rules.models_of_host(rules.host_of_service(service) or ""))


def mode_text(rules: Rules, name: str, profile: str | None) -> str:
    """Return a mode in one of its profiles as it is asked for and shown everywhere: `audio omni`, `training`.

    The profile is left out where it is the only one and called as the mode is.
    """
    return name if profile is None or (profile,) == rules.modes[name].profiles == (name,) else f"{name} {profile}"


def services_of(mode: Mode, profile: str | None, project: Project) -> tuple[str, ...]:
    """Return the services that a mode names, by itself or by one of its profiles; not what these depend on."""
    return mode.services if profile is None else project.of_profile(profile)


def base_services(project: Project, rules: Rules, beside: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return what belongs to every target: the services without a profile, but for those that a mode names.

    Of several Compose projects only those count that have a service of `beside`, as for Compose.
    """
    named = {service for mode in rules.modes.values() for service in mode.services}
    of = None if beside is None or not project.parts else {project.services[name].project for name in beside}
    base = (name for name in project.without_profile if name not in named)
    return tuple(name for name in base if of is None or project.services[name].project in of)


def mode_services(mode: str | None, project: Project, rules: Rules) -> tuple[str, ...]:
    """Return the services of a mode as `current_mode` names it; none of one that is no mode of the rules."""
    for name, one in rules.modes.items():
        for profile in one.choices:
            if mode == mode_text(rules, name, profile):
                return project.closure(services_of(one, profile, project))
    return ()


def long_runs(containers: Iterable[Container], rules: Rules) -> tuple[str, ...]:
    """Return the services of these containers that are active and run to their end."""
    active = dict.fromkeys(one.service or "" for one in containers if one.active)
    return tuple(name for name in active if rules.runs_to_end(rules.of_service(name)))


def violations(observed: Observed, rules: Rules) -> tuple[Conflict, ...]:
    """Return what is active together against the rules.

    A host in Docker counts by the models that it may serve, a daemon by those that it has loaded; one that no workload describes
    may be any of them. No rule by nature is broken by what runs: Docker itself sees to those.
    """
    foreign = [one.name for one in observed.foreign]
    names = dict.fromkeys([*observed.active_services, *foreign, *loaded_outside(observed, rules)])
    return tuple(conflicts(rules, (foreign_member(rules, name) for name in names)))


def loaded_outside(observed: Observed, rules: Rules) -> dict[str, tuple[LoadedModel, ...]]:
    """Return what daemons outside Docker have loaded, by workload, and what no workload describes by its daemon."""
    found: dict[str, tuple[LoadedModel, ...]] = {}
    for one in (one for host in observed.loaded if rules.daemon(host) for one in observed.loaded_on(host)):
        name = one.workload or one.host
        found[name] = (*found.get(name, ()), one)
    return found


def known_models(observed: Observed, project: Project, rules: Rules, admitted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the models that count as active: loaded ones, those admitted by the last switch, those of active profiles.

    One that is not loaded counts only while its host's service is active: any client may have it loaded again. One
    that was admitted on a daemon counts only while it is loaded there.
    """
    active = set(observed.active_services)
    loaded = dict.fromkeys(one.workload for host in observed.loaded for one in observed.loaded_on(host) if one.workload)
    up = active | completed_services(observed, project, rules)
    wanted = dict.fromkeys([*(name for name in admitted if name in rules.workloads), *needed_models(up, project, rules)])
    possible = [name for name in wanted if rules.service_of(rules.workloads[name]) in active]
    return tuple(dict.fromkeys([*possible, *loaded]))


def needed_models(active: Collection[str], project: Project, rules: Rules) -> Iterator[str]:
    """Yield the models that the profiles and modes need whose services are all active, or have ended well."""
    for own, models in _needs(project, rules):
        if own and set(active).issuperset(own) and set(active).issuperset(project.closure(own)):
            yield from models


def _needs(project: Project, rules: Rules) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the services that need models, with these."""
    for name, needs in rules.profiles.items():
        if needs.models:
            yield project.of_profile(name), needs.models
    for mode in rules.modes.values():
        for profile in mode.choices if mode.models else ():
            yield services_of(mode, profile, project), mode.models
