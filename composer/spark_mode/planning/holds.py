"""What somebody holds is never stopped, for whatever reason: the request is refused, and names who holds it."""

from spark_mode.planning.conflicts import conflict_with, member
from spark_mode.planning.observed import Hold
from spark_mode.planning.plan import Refusal
from spark_mode.planning.preemption import is_unneeded
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.target import members


def hold_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal of a request that stops something held, has no place for it, or is excluded beside it."""
    for name in (*problem.observed.active_services, *problem.observed.models):
        hold = problem.observed.hold_of(name)
        if hold and (_is_stopped(name, problem) or _is_out_of_place(name, problem)):
            return _refusal(name, hold)
    return None


def _refusal(name: str, hold: Hold) -> Refusal:
    if hold.process is not None:
        hint = f"wait until it is started, or end what starts it: kill {hold.process}"
        return Refusal(message=f"{name} is about to start: {hold}", hint=hint)
    return Refusal(message=f"{name} is held: {hold}", hint=hold.hint)


def _is_stopped(name: str, problem: PlanningProblem) -> bool:
    return name in (*problem.gone_services, *problem.gone_models, *problem.renewed)


def _is_out_of_place(name: str, problem: PlanningProblem) -> bool:
    """Whether something that stays because it is held is not of the mode that is asked for, or breaks a rule beside it."""
    target = problem.target
    if name in (*target.services, *target.models):
        return False
    if (target.mode or target.scope is None) and is_unneeded(name, problem):
        return True
    active = (*problem.observed.active_services, *problem.observed.models)
    held = [member(problem.rules, other) for other in active if problem.observed.hold_of(other)]
    return conflict_with(problem.rules, member(problem.rules, name), members(target, problem.rules), held) is not None
