"""From request, project, rules and what was observed to a plan. Pure: it asks nothing, changes nothing, reads no clock.

In order: what must be active (the target), what a rule forbids beside it, what the mode no longer needs, whether the
rest fits, and the steps that lead there. Every choice keeps the order of rules.yaml, so the same input gives the same
plan.
"""

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning import admission
from spark_mode.planning.advice import warnings
from spark_mode.planning.alternatives import alternatives
from spark_mode.planning.budget import Budget, budget
from spark_mode.planning.holds import hold_refusal
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Refusal, StoppedTraining
from spark_mode.planning.preemption import dependents_refusal, stopping
from spark_mode.planning.request import Request, Target, resolve
from spark_mode.planning.steps import steps
from spark_mode.planning.target import leave_out_excluded, require_described
from spark_mode.planning.work import Work


def plan(request: Request, project: Project, rules: Rules, observed: Observed, capacity: int) -> Plan:
    """Return the plan for a request; one that must not be carried out has a `refusal` and no steps.

    `capacity` is the machine's declared memory in bytes. Raises UsageFault for unknown names and ConfigurationError
    for services that rules.yaml does not describe.
    """
    work = _work(request, project, rules, observed, capacity)
    reckoned = _budget(work, capacity)
    refusal = hold_refusal(work) or dependents_refusal(work) or _refusal(work) or _memory_refusal(work, reckoned, capacity)
    chosen = () if refusal or not observed.complete else steps(work)
    target = work.target
    kept = tuple(name for name in work.remaining.active_services if name not in target.services)
    return Plan(
        request=str(request),
        observed=observed.complete,
        mode=target.mode,
        target=target.services,
        keep=kept if observed.complete else None,
        preemptions=tuple(one.preemption for one in work.stopped if one.preemption) if observed.complete else None,
        warnings=(*target.warnings, *warnings(work)),
        steps=chosen,
        budget=reckoned,
        refusal=refusal,
        stops_training=_stopped_training(work),
        target_models=target.models,
        models=tuple(dict.fromkeys([*work.remaining.models, *target.models])),
        variants=target.variants,
        nothing_to_do=None if chosen or refusal or not observed.complete else _why_nothing(request, target, observed),
    )


def _work(request: Request, project: Project, rules: Rules, observed: Observed, capacity: int) -> Work:
    """Return what there is to do, with the choice of what must go."""
    target = leave_out_excluded(resolve(request, project, rules), rules)
    require_described(target, rules)
    work = Work(request=request, target=target, project=project, rules=rules, observed=observed)
    stopped = stopping(work, capacity)
    return Work(request=request, target=target, project=project, rules=rules, observed=observed, stopped=stopped)


def _budget(work: Work, capacity: int) -> Budget:
    """Reckon what stays together with what is asked for, each in the variant that it will have."""
    after = {one.name: one for one in work.remaining.workloads(work.rules)}
    after |= {one.name: one for one in work.asked_for}
    return budget(after.values(), work.rules, capacity)


def _refusal(work: Work) -> Refusal | None:
    if work.request.verb == "stop":
        return None
    return (
        admission.rule_refusal(work.request, work.target, work.rules, work.observed)
        or admission.unclassified_refusal(work.rules, work.observed)
        or admission.leftover_refusal(work)
        or admission.daemon_refusal(work)
        or admission.engine_refusal(work)
    )


def _memory_refusal(work: Work, reckoned: Budget, capacity: int) -> Refusal | None:
    """Return why the declared or the measured memory does not allow a request, and what would fit instead."""
    if work.request.verb == "stop":
        return None
    measured = admission.memory_refusal(work) if work.observed.complete else None
    refusal = admission.budget_refusal(work, reckoned, capacity) or measured
    if refusal is None:
        return None

    def fits(request: Request, observed: Observed) -> bool:
        other = _work(request, work.project, work.rules, observed, capacity)
        lacks = admission.budget_refusal(other, _budget(other, capacity), capacity) or (
            admission.memory_refusal(other) if observed.complete else None
        )
        return not (lacks or _refusal(other) or dependents_refusal(other) or hold_refusal(other))

    return refusal.model_copy(update={"hint": alternatives(work, fits), "memory": True})


def _stopped_training(work: Work) -> tuple[StoppedTraining, ...]:
    going = {*work.gone_services, *work.other_variants}
    return tuple(
        StoppedTraining(name=workload.name, service=container.service, since=container.started_at)
        for container in work.observed.active
        if container.service in going and (workload := work.rules.of_service(container.service))
        if workload.class_ == "training"
    )


def _why_nothing(request: Request, target: Target, observed: Observed) -> str:
    if request.verb == "stop":
        return f"{', '.join(request.names)}: not running" if request.names else "nothing of the lab is running"
    if not target.services and target.models:
        return f"{', '.join(target.models)}: admitted; its host needs no start"
    if not target.services:
        return "nothing ran before, and nothing runs now"
    kept = [name for name in observed.active_services if name not in target.services]
    beside = f"; beside it stays {', '.join(kept)}" if kept else ""
    return f"{', '.join(target.services)} {'runs' if len(target.services) == 1 else 'run'} already{beside}"
