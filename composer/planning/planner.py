"""From request, project, rules and what was observed to a plan. Pure: it asks nothing, changes nothing, reads no clock.

In order: what must be active (the target), what a rule forbids beside it, what the mode no longer needs, whether the
rest fits, and the steps that lead there. Every choice keeps the order of rules.yaml, so the same input gives the same
plan.
"""

from composer.lab.project import Project
from composer.lab.rules import Rules, Workload
from composer.planning import admission
from composer.planning.advice import warnings
from composer.planning.budget import Budget, budget
from composer.planning.observed import Observed
from composer.planning.plan import Plan, Refusal, StoppedTraining
from composer.planning.preemption import dependents_refusal, dropped_models, stopping
from composer.planning.request import Request, Target, resolve
from composer.planning.steps import Work, steps
from composer.planning.target import leave_out_excluded, require_described, workloads


def plan(request: Request, project: Project, rules: Rules, observed: Observed, capacity: int) -> Plan:
    """Return the plan for a request; one that must not be carried out has a `refusal` and no steps.

    `capacity` is the machine's declared memory in bytes. Raises UsageFault for unknown names and ConfigurationError
    for services that rules.yaml does not describe.
    """
    target = leave_out_excluded(resolve(request, project, rules), rules)
    require_described(target, rules)
    stopped = stopping(request, target, project, rules, observed)
    gone = {one.service for one in stopped}
    remaining = observed.without(gone, _models_gone(gone, target, rules, observed))
    reckoned = _budget(target, rules, observed, remaining, capacity)
    work = Work(request=request, target=target, project=project, rules=rules, observed=observed, stopped=tuple(stopped))
    refusal = dependents_refusal(stopped, project, observed) or _refusal(work, remaining, reckoned)
    chosen = () if refusal or not observed.complete else steps(work)
    kept = tuple(name for name in remaining.active_services if name not in target.services)
    return Plan(
        request=str(request),
        observed=observed.complete,
        mode=target.mode,
        target=target.services,
        keep=kept if observed.complete else None,
        preemptions=tuple(one.preemption for one in stopped if one.preemption) if observed.complete else None,
        warnings=(*target.warnings, *warnings(target, project, rules, observed, remaining)),
        steps=chosen,
        budget=reckoned,
        refusal=refusal,
        stops_training=_stopped_training(work),
        models=tuple(dict.fromkeys([*remaining.models, *target.models])),
        variants=target.variants,
        nothing_to_do=None if chosen or refusal or not observed.complete else _why_nothing(request, target, observed),
    )


def _models_gone(gone: set[str], target: Target, rules: Rules, observed: Observed) -> set[str]:
    hosted = {model for model in observed.models if rules.service_of(rules.workloads[model]) in gone}
    return hosted | set(dropped_models(target, rules, observed))


def _budget(target: Target, rules: Rules, observed: Observed, remaining: Observed, capacity: int) -> Budget:
    """Reckon what stays together with what is asked for, each in the variant that it will have."""
    after = {one.name: one for one in remaining.workloads(rules)}
    after |= {one.name: one for one in workloads(target, rules, observed)}
    return budget(after.values(), rules, capacity)


def _refusal(work: Work, remaining: Observed, reckoned: Budget) -> Refusal | None:
    request, target, rules, observed = work.request, work.target, work.rules, work.observed
    if request.verb == "stop":
        return None
    asked_for = {one.name for one in workloads(target, rules, observed)}
    kept = tuple(one for one in remaining.workloads(rules) if one.name not in asked_for)
    return (
        admission.rule_refusal(request, target, rules, observed)
        or admission.unclassified_refusal(rules, observed)
        or admission.engine_refusal(work.to_start, work.project, observed)
        or admission.budget_refusal(request, target, rules, reckoned, kept, observed)
        or (
            admission.memory_refusal(request, rules, work.starting_workloads, _released(work, remaining), observed)
            if observed.complete
            else None
        )
    )


def _released(work: Work, remaining: Observed) -> tuple[Workload, ...]:
    """Return the workloads whose memory comes back before anything starts."""
    staying = {one.name for one in remaining.workloads(work.rules) if one.service not in work.other_variants}
    return tuple(one for one in work.observed.workloads(work.rules) if one.name not in staying)


def _stopped_training(work: Work) -> tuple[StoppedTraining, ...]:
    going = {one.service for one in work.stopped} | set(work.other_variants)
    return tuple(
        StoppedTraining(name=workload.name, since=container.started_at)
        for container in work.observed.active
        if container.service in going and (workload := work.rules.of_service(container.service))
        if workload.class_ == "training"
    )


def _why_nothing(request: Request, target: Target, observed: Observed) -> str:
    if request.verb == "stop":
        return f"{', '.join(request.names)}: not running" if request.names else "nothing of the lab is running"
    if not target.services:
        return "nothing ran before, and nothing runs now"
    kept = [name for name in observed.active_services if name not in target.services]
    beside = f"; beside it stays {', '.join(kept)}" if kept else ""
    return f"{', '.join(target.services)} {'runs' if len(target.services) == 1 else 'run'} already{beside}"
