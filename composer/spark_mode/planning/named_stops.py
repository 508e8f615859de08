"""What `stop` stops: everything, or what is named, where nothing that stays depends on it. A name means what it means to `up`."""

from collections.abc import Iterator, Sequence

from spark_mode.errors import UsageFault
from spark_mode.lab.rules import Rules
from spark_mode.planning.foreign_conflicts import OUTSIDE, stop_it_yourself
from spark_mode.planning.foreign_workload import ForeignWorkload
from spark_mode.planning.named_workload import find_named, require_one
from spark_mode.planning.plan import Refusal
from spark_mode.planning.problem import PlannedStop, PlanningProblem
from spark_mode.planning.request import StopRequest


def asked_for(problem: PlanningProblem, asked: Sequence[str]) -> tuple[PlannedStop, ...]:
    """Return what `stop` stops: everything active, or what is named and active; of a daemon that is meant its models."""
    observed, rules = problem.observed, problem.rules
    services = observed.active_services
    names = _named(problem) if asked else services
    found = {name: PlannedStop(name=name, cause="requested", preemption=None, is_model=name not in services) for name in names}
    for one in (model for host in filter(rules.daemon, asked or rules.hosts) for model in observed.loaded_on(host)):
        name = one.workload or one.model
        found[name] = PlannedStop(name=name, cause="requested", preemption=None, is_model=True, host=one.host)
    return tuple(found.values())


def dependents_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal of stopping services that something active, and not stopped itself, depends on.

    A dependency is often no more than an order of starts, so `stop --alone` leaves what depends on it.
    """
    if isinstance(problem.request, StopRequest) and problem.request.alone:
        return None
    going, project = problem.gone_services, problem.project
    staying = [name for name in problem.observed.active_services if name not in going]
    depending = {name: needing for name in sorted(going) if (needing := project.dependents(name, staying))}
    for name, needing in depending.items():
        message = f"{', '.join(needing)} {'depends' if len(needing) == 1 else 'depend'} on {name}"
        if hold := next(filter(None, map(problem.observed.hold_of, needing)), None):
            return Refusal(message=f"{message}, and is held: {hold}", hint=hold.hint)
        both = dict.fromkeys([*sorted(going), *(one for found in depending.values() for one in found)])
        hint = f"stop {'both' if len(both) == 2 else 'all'}: spark-mode stop {' '.join(both)}"
        alone = f"{'it' if len(going) == 1 else 'them'} alone: spark-mode stop {' '.join(sorted(going))} --alone"
        return Refusal(message=message, hint=f"{hint}, or {alone}")
    return None


def named_foreign(problem: PlanningProblem) -> tuple[ForeignWorkload, ...]:
    """Return the containers of others that are a workload which `stop` names, where none of the lab's own is."""
    if problem.request.verb != "stop":
        return ()
    meant = {name for asked in problem.request.names for name in _meant(asked, problem)}
    names = meant - {*problem.observed.active_services, *problem.observed.models}
    known = [(one, problem.rules.workloads.get(one.name)) for one in problem.observed.foreign if not one.is_about_to_start]
    return tuple(one for one, workload in known if names & {one.name, workload and workload.service})


def left_running(problem: PlanningProblem) -> tuple[ForeignWorkload, ...]:
    """Return what a stop that stops something leaves of what is meant; of a stop of everything that is the commands."""
    if problem.request.verb == "stop" and not problem.request.names:
        return tuple(one for one in problem.observed.foreign if one.command)
    return named_foreign(problem) if problem.stopped else ()


def foreign_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal of a stop that means nothing but containers of others."""
    found = named_foreign(problem)
    if not found or problem.stopped:
        return None
    first = found[0]
    return Refusal(message=f"{first}: it is {first.name}{OUTSIDE * (not first.command)}", hint=stop_it_yourself(found))


def meant_by_name(problem: PlanningProblem) -> tuple[str, ...]:
    """Return the services and models that `stop NAME…` means, whether they run or not; nothing for what is no such stop."""
    asked = problem.request.names if problem.request.verb == "stop" else ()
    return tuple(dict.fromkeys(one for name in asked for one in _meant(name, problem)))


def _named(problem: PlanningProblem) -> tuple[str, ...]:
    """Return the active services and models that `stop NAME…` means."""
    there = (*problem.observed.active_services, *problem.observed.models)
    return tuple(name for name in meant_by_name(problem) if name in there)


def _meant(name: str, problem: PlanningProblem) -> Iterator[str]:
    """Yield what a name means: a profile before a workload, and that before a service, as for `up`.

    Of a profile goes what is of no other, and what has its name.
    """
    rules, project = problem.rules, problem.project
    workload = rules.find(name)
    own = (workload.service or workload.name) if workload else name
    if name in project.profiles:
        services = project.of_profile(name)
        plain = name.rpartition("/")[2]
        more = {one: {*service.profiles} - {plain, f"{service.project}/{plain}"} for one, service in project.services.items()}
        yield from (one for one in services if not more[one] or one == own)
    elif workload:
        if workload.service:
            require_one(own, project)
        yield own
    elif name in project.services or name in problem.observed.active_services or rules.daemon(name):
        yield own
    else:
        _require_no_mode(name, rules)
        find_named(name, project, rules, (*project.services, *project.profiles))


def _require_no_mode(name: str, rules: Rules) -> None:
    """Raise UsageFault for a mode, with the names that `stop` takes for it."""
    if mode := rules.modes.get(name):
        kind = "profiles" if mode.profiles else "services"
        names = " ".join(mode.profiles or mode.services)
        raise UsageFault(f'"{name}" is a mode; a stop takes its {kind}', f"spark-mode stop {names}")
