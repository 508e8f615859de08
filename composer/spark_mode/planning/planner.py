"""From request, project, rules and what was observed to a plan. Pure: it asks nothing, changes nothing, reads no clock.

In order: what must be active (the target), what a rule forbids beside it, what the mode no longer needs, whether the
rest fits, and the steps that lead there. Every choice keeps the order of rules.yaml, so the same input gives the same
plan.
"""

from spark_mode.lab.by_nature import with_nature
from spark_mode.lab.few import agreeing
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning import admission
from spark_mode.planning.advice import warnings
from spark_mode.planning.alternatives import alternatives, assumed_memory
from spark_mode.planning.beside_by_nature import nature_refusal
from spark_mode.planning.budget import Budget, budget
from spark_mode.planning.commands import running_refusal
from spark_mode.planning.holds import hold_refusal
from spark_mode.planning.named_stops import dependents_refusal, foreign_refusal, left_running, meant_by_name
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Refusal, StoppedTraining
from spark_mode.planning.preemption import stopping
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.request import Request, in_lab_names
from spark_mode.planning.resolve import resolve
from spark_mode.planning.steps import steps
from spark_mode.planning.target import leave_out_excluded, require_names, require_startable


def plan(request: Request, project: Project, rules: Rules, observed: Observed, capacity: int) -> Plan:
    """Return the plan for a request; one that must not be carried out has a `refusal` and no steps.

    `capacity` is the machine's declared memory in bytes. Raises UsageFault for unknown names and ConfigurationError
    for services that rules.yaml does not describe.
    """
    asked = str(request)
    if request.verb != "stop":
        require_names(project, rules)
    rules, request = with_nature(rules, project), in_lab_names(request, project)
    problem = _problem(request, project, rules, observed, capacity)
    reckoned = _budget(problem, capacity)
    refusal = (
        hold_refusal(problem)
        or dependents_refusal(problem)
        or foreign_refusal(problem)
        or _refusal(problem)
        or _memory_refusal(problem, reckoned, capacity)
    )
    chosen = () if refusal or not observed.complete else steps(problem)
    target = problem.target
    kept = tuple(name for name in problem.remaining.active_services if name not in target.services)
    return Plan(
        request=asked,
        observed=observed.complete,
        mode=target.mode,
        target=target.services,
        keep=kept if observed.complete else None,
        preemptions=tuple(one.preemption for one in problem.stopped if one.preemption) if observed.complete else None,
        warnings=(*target.warnings, *warnings(problem)),
        steps=chosen,
        budget=reckoned,
        refusal=refusal,
        stops_training=_stopped_training(problem),
        target_models=target.models,
        models=tuple(dict.fromkeys([*problem.remaining.models, *target.models])),
        variants=target.variants,
        stopped_by_name=meant_by_name(problem),
        projects=_projects(problem),
        nothing_to_do=None if chosen or refusal or not observed.complete else _why_nothing(problem),
    )


def _projects(problem: PlanningProblem) -> dict[str, str]:
    """Return the Compose project of each service, where the lab has several; also what runs of one that cannot be read."""
    seen = {one.service: one.project for one in problem.observed.active if one.service and one.project}
    return seen | {name: one.project for name, one in problem.project.services.items() if one.project}


def _problem(request: Request, project: Project, rules: Rules, observed: Observed, capacity: int) -> PlanningProblem:
    """Return what there is to do, with the choice of what must go."""
    target = leave_out_excluded(resolve(request, project, rules), project, rules)
    require_startable(target, project, rules)
    problem = PlanningProblem(request=request, target=target, project=project, rules=rules, observed=observed)
    stopped = stopping(problem, capacity)
    return PlanningProblem(request=request, target=target, project=project, rules=rules, observed=observed, stopped=stopped)


def _budget(problem: PlanningProblem, capacity: int) -> Budget:
    """Reckon what stays together with what is asked for, each in the variant that it will have."""
    return budget(problem.after, problem.rules, capacity)


def _refusal(problem: PlanningProblem) -> Refusal | None:
    if problem.request.verb == "stop":
        return None
    return (
        admission.never_started_refusal(problem)
        or admission.rule_refusal(problem.request, problem.target, problem.rules, problem.observed)
        or running_refusal(problem)
        or nature_refusal(problem)
        or admission.unclassified_refusal(problem)
        or admission.leftover_refusal(problem)
        or admission.daemon_refusal(problem)
        or admission.engine_refusal(problem)
    )


def _memory_refusal(problem: PlanningProblem, reckoned: Budget, capacity: int) -> Refusal | None:
    """Return why the declared or the measured memory does not allow a request, and what would fit instead."""
    if problem.request.verb == "stop":
        return None
    measured = admission.memory_refusal(problem) if problem.observed.complete else None
    refusal = admission.budget_refusal(problem, reckoned, capacity) or measured
    if refusal is None:
        return None

    def fits(request: Request, observed: Observed) -> bool:
        other = _problem(request, problem.project, problem.rules, observed, capacity)
        lacks = admission.budget_refusal(other, _budget(other, capacity), capacity) or (
            admission.memory_refusal(other) if observed.complete else None
        )
        return not (lacks or _refusal(other) or dependents_refusal(other) or hold_refusal(other))

    excess = max(0, reckoned.total - admission.allowed_total(problem, capacity))
    hint = refusal.hint or alternatives(problem, fits, excess)
    return refusal.model_copy(update={"hint": f"{hint}{assumed_memory(problem)}", "memory": True})


def _stopped_training(problem: PlanningProblem) -> tuple[StoppedTraining, ...]:
    going = {*problem.gone_services, *problem.renewed}
    return tuple(
        StoppedTraining(name=workload.name, service=container.service, since=container.started_at)
        for container in problem.observed.active
        if container.service in going and (workload := problem.rules.of_service(container.service))
        if problem.rules.runs_to_end(workload)
    )


def _why_nothing(problem: PlanningProblem) -> str:
    target, rules, observed = problem.target, problem.rules, problem.observed
    if problem.request.verb == "stop":
        goes_on = (f"{one} and goes on" for one in left_running(problem))
        return "; ".join([_why_nothing_stops(problem.request.names, rules), *goes_on])
    new = [name for name in target.models if name not in observed.models]
    admitted = new if target.services else target.models
    hosts = {rules.service_of(rules.workloads[name]) for name in admitted}
    said = [f"{', '.join(admitted)}: admitted; its host needs no start"] if admitted else []
    completed = [name for name in target.services if name in problem.completed]
    run = [name for name in target.services if name not in completed]
    if not hosts.issuperset(target.services):
        said = [f"{', '.join(run)} {agreeing(run, 'runs', 'run')} already"] * bool(run) + said
        said += [f"{', '.join(completed)}: completed"] * bool(completed)
    if kept := [name for name in observed.active_services if name not in target.services]:
        it = agreeing(run or admitted, "it", "them")
        said.append(f"beside {it} {agreeing(kept, 'stays', 'stay')} {', '.join(kept)}")
    return "; ".join(said) or "nothing ran before, and nothing runs now"


def _why_nothing_stops(names: tuple[str, ...], rules: Rules) -> str:
    services, daemons = [name for name in names if not rules.daemon(name)], list(filter(rules.daemon, names))
    said = [f"{', '.join(services)}: not running"] if services else []
    said += [f"{', '.join(daemons)}: no model is known to be loaded there"] if daemons else []
    return "; ".join(said) or "nothing of the lab is running"
