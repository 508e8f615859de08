"""What must go to admit a target, and why: what a rule excludes, what the mode does not need, what memory asks for.

Never what the target needs or somebody holds, and a long run only where a rule excludes it from the target, or a mode of its
class does not need it. Of all ways to satisfy every rule and limit it takes the one of least cost, so nothing is stopped that
could have stayed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from spark_mode.lab.by_nature import is_by_nature
from spark_mode.lab.few import few
from spark_mode.lab.rules import AtMost
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.admission import lacking
from spark_mode.planning.choice import Candidate, Shortfall, cheapest
from spark_mode.planning.conflicts import Conflict, Member, conflict_of, conflict_with, exclusive, foreign_member, member
from spark_mode.planning.named_stops import asked_for
from spark_mode.planning.observed import running_workload
from spark_mode.planning.plan import Preemption
from spark_mode.planning.problem import PlannedStop, PlanningProblem
from spark_mode.planning.target import members

SERVED = 5
"""How many models of a host that must go are named."""


class _Running(NamedTuple):
    """Something active that the target does not need: a service, a model, or a daemon's model.

    `size` is what it is planned with, bytes, as often as it runs. `conflict` is why it has no place beside the target. `kept`
    says that it stays where it has one, `spared` that it stays where an at-most rule has room for it beside what cannot go.
    """

    name: str
    member: Member
    workload: Workload | None
    size: int
    conflict: Conflict | None
    unneeded: bool
    kept: bool
    spared: bool

    @property
    def is_model(self) -> bool:
        return bool(self.workload and self.workload.model)


def stopping(problem: PlanningProblem, capacity: int) -> tuple[PlannedStop, ...]:
    """Return the services that a request stops, and after them the models that it unloads, each in the order of rules.yaml.

    `capacity` is the declared memory in bytes. Where nothing that may be stopped makes enough room it is what the rules
    ask for, with what brings the declared total down where stops can do that, and the plan is refused.
    """
    if problem.request.verb == "stop":
        return asked_for(problem, problem.request.names)
    wanted = members(problem.target, problem.rules)
    foreign = [foreign_member(problem.rules, one.name) for one in problem.observed.foreign]
    running = _running(problem, wanted, foreign)
    staying = _staying(running, problem)
    others = [one for one in running if one not in staying]
    fixed = [*foreign, *(one.member for one in staying)]
    candidates = [_candidate(one, problem, others) for one in others]
    kept = _classes_kept(problem, staying)
    lack = lacking(problem, capacity)
    choices = (
        cheapest(candidates, wanted, fixed, kept, problem.rules, less) for less in (lack, Shortfall(lack.declared), Shortfall())
    )
    gone = next((choice for choice in choices if choice is not None), None)
    if gone is None:
        gone = frozenset(one.name for one in others if one.conflict)
    gone |= _needless(others, candidates, gone)
    there = [*fixed, *(one.member for one in others if one.name not in gone)]
    stopped = [
        _stopping(one, wanted, there, candidates, problem)
        for one in others
        if one.name in gone and not _goes_with_host(one, gone, problem)
    ]
    return (*sorted(stopped, key=lambda one: one.is_model), *_strangers(wanted, problem))


def _running(problem: PlanningProblem, wanted: Sequence[Member], foreign: Sequence[Member]) -> list[_Running]:
    """Return what is active beside the target in the order of rules.yaml, and after it hosts and what no workload describes."""
    rules, observed, target = problem.rules, problem.observed, problem.target
    services = [name for name in observed.active_services if name not in target.services]
    models = [name for name in observed.models if name not in target.models]
    crowded = {label for rule in rules.rules if isinstance(rule, AtMost) and _speaks_of(rule, wanted) for label in rule.of}
    found, sizes = [], Counter[str]()
    for own in observed.model_copy(update={"foreign": ()}).copies(rules):
        sizes[own.name] += own.footprint.planned
    for name in (*services, *models):
        one, workload = member(rules, name), _workload(name, problem)
        conflict = conflict_with(rules, one, wanted, foreign)
        unneeded, held = is_unneeded(name, problem), observed.hold_of(name) is not None
        long_run = rules.runs_to_end(workload) and not unneeded
        spared = long_run and not held and bool(crowded & one.labels)
        kept = held or (long_run and not spared)
        found.append(_Running(name, one, workload, sizes[workload.name] if workload else 0, conflict, unneeded, kept, spared))
    return sorted(found, key=lambda one: (rules.position(one.workload.name if one.workload else ""), one.is_model))


def _speaks_of(rule: AtMost, wanted: Iterable[Member]) -> bool:
    return any(one.labels.intersection(rule.of) for one in wanted)


def _staying(running: Sequence[_Running], problem: PlanningProblem) -> list[_Running]:
    """Return what is kept in any case, with all that it needs, but nothing that has no place beside the target."""
    kept = [one for one in running if one.conflict is None and one.kept]
    names = {one.name for one in kept}
    services = [problem.rules.service_of(one.workload) if one.is_model and one.workload else one.name for one in kept]
    names.update(problem.project.closure(name for name in services if name in problem.project.services))
    names.update(name for name in services if name)
    return [one for one in running if one.conflict is None and one.name in names]


def _workload(name: str, problem: PlanningProblem) -> Workload | None:
    container = problem.observed.container_of(name)
    if name in problem.observed.models:
        return problem.rules.workloads[name]
    return running_workload(problem.rules, name, container.variant if container else None)


def is_unneeded(name: str, problem: PlanningProblem) -> bool:
    """Whether a mode, which sets its class exactly, has no use for a service or model."""
    rules, scope = problem.rules, problem.target.scope
    if name in problem.target.beside:
        return False
    if scope is None:
        return True
    if name in problem.observed.models:
        return rules.workloads[name].class_ in scope
    if host := rules.host_of_service(name):
        served = [one for one in rules.models_of_host(host) if one.name in problem.observed.models]
        return bool(served) and all(one.class_ in scope and one.name not in problem.target.models for one in served)
    workload = rules.of_service(name)
    return workload is not None and workload.class_ in scope


def _candidate(one: _Running, problem: PlanningProblem, others: Iterable[_Running]) -> Candidate:
    if one.is_model and one.workload:
        needed = {problem.rules.service_of(one.workload) or ""}
    else:
        needed = set(problem.project.closure([one.name])) - {one.name}
    return Candidate(
        member=one.member,
        needs=frozenset(other.name for other in others if other.name in needed),
        size=one.size,
        class_=one.workload.class_ if one.workload else "",
        priority=one.workload.priority if one.workload else 0,
        load_seconds=one.workload.load_seconds if one.workload else 0,
        unneeded=one.unneeded,
        spared=one.spared,
    )


def _classes_kept(problem: PlanningProblem, staying: Iterable[_Running]) -> frozenset[str]:
    foreign = problem.observed.foreign_workloads(problem.rules)
    return frozenset(one.class_ for one in (*problem.asked_for, *foreign, *(one.workload for one in staying)) if one)


def _needless(others: Iterable[_Running], candidates: Iterable[Candidate], gone: frozenset[str]) -> frozenset[str]:
    """Return what a mode does not need and nothing that stays needs."""
    needs = {one.member.name: one.needs for one in candidates}
    kept = {one.name for one in others if one.name not in gone and not one.unneeded}
    while more := {need for name in kept for need in needs[name]} - kept:
        kept |= more
    return frozenset(one.name for one in others if one.unneeded) - kept


def _goes_with_host(one: _Running, gone: frozenset[str], problem: PlanningProblem) -> bool:
    return bool(one.is_model and one.workload and problem.rules.service_of(one.workload) in gone)


def _stopping(
    one: _Running, wanted: Sequence[Member], there: Sequence[Member], candidates: Sequence[Candidate], problem: PlanningProblem
) -> PlannedStop:
    if one.conflict:
        served = [model for model in problem.observed.models if model in one.member.serves] or one.member.serves
        because = one.conflict.rule.because
        cause = f"serves {few(served, SERVED)}, and {because}" if served and not is_by_nature(one.conflict.rule.name) else because
        return _preempted(one, cause, "exclusive", one.conflict.rule.name, problem)
    needs = next(candidate.needs for candidate in candidates if candidate.member.name == one.name)
    back = [candidate.member for candidate in candidates if candidate.member.name in {one.name, *needs}]
    new = [other for other in back if other not in there]
    if broken := conflict_of(problem.rules, new, wanted, there):
        needed = next((other.name for other in new if broken.concerns(other) and other.name != one.name), None)
        cause = (
            f"needs {needed}, and {broken.rule.because}" if needed and not broken.concerns(one.member) else broken.rule.because
        )
        return _preempted(one, cause, "exclusive", broken.rule.name, problem)
    if one.unneeded:
        return _preempted(one, f"{problem.target.mode or 'the mode before'} does not need it", "mode", None, problem)
    names = ", ".join(problem.starting_names)
    priority = one.workload.priority if one.workload else 0
    cause = f"frees {gb_text(one.size)}, at priority {priority}: {names} would not fit beside it"
    return _preempted(one, cause, "memory", None, problem)


def _preempted(
    one: _Running, cause: str, reason: Literal["exclusive", "mode", "memory"], rule: str | None, problem: PlanningProblem
) -> PlannedStop:
    preemption = Preemption(name=one.name, reason=reason, rule=rule, frees=one.size if reason == "memory" else None)
    has_memory = not (one.is_model and one.workload) or problem.observed.holds(one.workload)
    return PlannedStop(name=one.name, cause=cause, preemption=preemption if has_memory else None, is_model=one.is_model)


def _strangers(wanted: Sequence[Member], problem: PlanningProblem) -> Iterable[PlannedStop]:
    """Yield the models that no workload describes, on daemons whose models a rule excludes."""
    for host in problem.rules.hosts:
        if problem.rules.daemon(host):
            daemon = member(problem.rules, host)
            conflict = next((hit for other in wanted if (hit := exclusive(problem.rules, daemon, other))), None)
            for one in problem.observed.loaded_on(host) if conflict else ():
                if one.workload is None and conflict:
                    preemption = Preemption(name=one.model, reason="exclusive", rule=conflict.rule.name)
                    yield PlannedStop(
                        name=one.model, cause=conflict.rule.because, preemption=preemption, is_model=True, host=host
                    )
