"""The way back: what a switch started is stopped, and what it stopped is started again. Pure, like the plan.

It is worked out from what is observed after the failure, not from what the switch believes it has done. Where what ran before
was against the rules, it comes back without what has to go by the guard's policy.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.workload import Workload
from spark_mode.planning.completion import ends_well
from spark_mode.planning.conflict_policy import Victim, conflict_victims
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_conflicts import foreign_conflict
from spark_mode.planning.naming import name_holders, removals, why_never_again
from spark_mode.planning.observed import Observed, running_workload
from spark_mode.planning.plan import Create, Load, Start, StartContainer, Step, Stop, Unload
from spark_mode.planning.shared_parts import parted_from
from spark_mode.planning.steps import await_release, has_stop_hook, in_stop_order, starts, verify


class Rollback(NamedTuple):
    """The steps back, and what cannot be brought back, in words: one-off containers, and what foreign ones are in the way of.

    What is `gone` may come back later: its container was removed, and now no other can be created.
    """

    steps: tuple[Step, ...]
    lost: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def rollback(carried_out: tuple[Step, ...], project: Project, rules: Rules, before: Observed, now: Observed) -> Rollback:
    """Return the steps from `now` to what ran `before` these steps; only what they touch is touched.

    The memory that must be free is what comes back and the floor: it ran before, with what was left then.
    """
    stopped = [step for step in carried_out if isinstance(step, Stop)]
    known = dict.fromkeys(id_ for step in stopped for id_ in step.containers)
    missing = [was for id_ in known if (was := _missing(id_, before, now))]
    met = {was.id: met for was in missing if (met := foreign_conflict((was.service or "",), rules, now))}
    going = conflict_victims(before, project, rules, kept=()) if missing else ()
    victims = {one.service: one.cause for one in going if not one.models}
    returning = [was for was in missing if was.id not in met and was.service not in victims]
    services = _services(returning, project)
    there = {one.id for one in now.containers}
    by_id = [one for one in returning if one.service not in services and not one.one_off and one.id in there]
    gone = [one for one in returning if one.service not in services and not one.one_off and one.id not in there]
    lost = (
        *(f"{one.name} was a one-off container and is not started again" for one in returning if one.one_off),
        *(f"{one.name} is not started again: {met[one.id]}" for one in missing if one.id in met),
        *(f"{one.name} does not come back: {victims[one.service]}" for one in missing if one.service in victims),
    )
    again = _replaced(services, project, before, now)
    back = [
        *_unloads(carried_out, rules, before, now),
        *_still_loaded(going, now),
        *_stops(carried_out, victims, project, rules, before, now),
        *removals(name_holders(again, project, now)),
        *_creates(again),
    ]
    workloads: list[Workload] = []
    if services or by_id:
        back_again = {one.service or "": one.variant for one in returning if not one.one_off and one not in gone}
        workloads = [found for name, variant in back_again.items() if (found := running_workload(rules, name, variant))]
        back.append(await_release(tuple(workloads), rules, now.memory, force=True))
    done = ends_well(services, project, rules)
    back += [StartContainer(container=one.id, subject=one.name, cause="it ran before") for one in by_id]
    sizes = {one.service: one.footprint.planned for one in workloads}
    back += starts(services, project, rules, now, "it ran before", done, None, sizes)
    if services:
        back.append(verify(services, done, rules))
    return Rollback(
        steps=tuple(back),
        lost=lost,
        gone=tuple(
            f"{one.service} does not come back: its container was removed, and {why_never_again(one.service or '', project)}"
            for one in gone
        ),
    )


def _missing(known: str, before: Observed, now: Observed) -> Container | None:
    """Return the container as it was before, if neither it nor its successor is active now."""
    was = next((one for one in before.containers if one.id == known), None)
    ran = {one.id for one in before.containers}
    if was is None or any(one.id == known or (one.id not in ran and _succeeds(one, was)) for one in now.active):
        return None
    return was


def _succeeds(one: Container, was: Container) -> bool:
    """Whether a container is what came back for another one, which no longer exists: an earlier way back was cut off."""
    return not (one.one_off or was.one_off) and (one.service, one.variant) == (was.service, was.variant)


def _services(returning: list[Container], project: Project) -> tuple[str, ...]:
    known = [name for name in project.services if project.fault_of(name) is None]
    names = {one.service for one in returning if one.service in known and not one.one_off}
    return tuple(name for name in project.closure(sorted(name for name in names if name)) if name in names)


def _stops(
    carried_out: tuple[Step, ...], victims: Mapping[str, str], project: Project, rules: Rules, before: Observed, now: Observed
) -> list[Step]:
    """Stop what runs now and did not before, of the services that the steps start, and the victims that still run.

    What ran before and shares with one of those keeps it: what it shared with before is gone.
    """
    sharing = (project.services[name] for name in before.active_services if name in project.services)
    shared = {owner for one in sharing for owner in one.shares}
    started = {step.service for step in carried_out if isinstance(step, Start)} - shared
    ran = before.active
    new = [
        one
        for one in now.active
        if one.service in victims or (one.service in started and not any(one.id == was.id or _succeeds(one, was) for was in ran))
    ]
    names = in_stop_order((one.service for one in new if one.service), project, rules, now)
    return [
        Stop(
            service=name,
            subject=name,
            cause=victims.get(name, "the switch started it"),
            containers=tuple(one.id for one in new if one.service == name),
            by_compose=has_stop_hook(name, project),
            training=rules.runs_to_end(rules.of_service(name)),
            after=after,
        )
        for name, after in names.items()
    ]


def _unloads(carried_out: tuple[Step, ...], rules: Rules, before: Observed, now: Observed) -> list[Step]:
    """Unload what the switch loaded, where its host was there before and has it now."""
    return [
        Unload(host=step.host, model=step.model, subject=step.subject, cause="the switch loaded it")
        for step in carried_out
        if isinstance(step, Load)
        and any(one.workload == step.subject for one in now.loaded_on(step.host))
        and (rules.daemon(step.host) or rules.hosts[step.host].service in before.active_services)
    ]


def _still_loaded(going: Iterable[Victim], now: Observed) -> Iterator[Unload]:
    """Yield the unloads of models that have to go for what comes back, as far as they are there."""
    for victim in going:
        for model in victim.models:
            if any(one.model == model.model for one in now.loaded_on(model.host)):
                yield Unload(host=model.host, model=model.model, subject=model.model, cause=victim.cause)


def _replaced(services: tuple[str, ...], project: Project, before: Observed, now: Observed) -> dict[str, Container]:
    """Return by service what was replaced: a container of another variant, one that is gone, or shares with such a one.

    `services` come dependencies first, so that what shares through others is found as well.
    """
    there = {one.id for one in now.containers}
    found: dict[str, Container] = {}
    for name in services:
        ran = [one for one in before.active if one.service == name and not one.one_off]
        gone = [one for one in ran if one.id not in there]
        if ran and (gone or parted_from(name, project, now, found)):
            found[name] = (gone or ran)[-1]
    return found


def _creates(replaced: Mapping[str, Container]) -> list[Step]:
    """Create again what was replaced, each in its variant."""
    if not replaced:
        return []
    variants = {name: one.variant for name, one in replaced.items() if one.variant}
    return [Create(services=tuple(replaced), variants=variants, subject=", ".join(replaced), cause="it ran before")]
