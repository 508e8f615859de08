"""What somebody holds is never stopped, for whatever reason: the request is refused, and names who holds it."""

from spark_mode.planning.conflicts import conflicts, member
from spark_mode.planning.observed import Hold
from spark_mode.planning.plan import Refusal
from spark_mode.planning.preemption import is_unneeded
from spark_mode.planning.target import members
from spark_mode.planning.work import Work


def hold_refusal(work: Work) -> Refusal | None:
    """Return the refusal of a request that stops something held, has no place for it, or is excluded beside it."""
    for name in (*work.observed.active_services, *work.observed.models):
        hold = work.observed.hold_of(name)
        if hold and (_is_stopped(name, work) or _is_out_of_place(name, work)):
            return _refusal(name, hold)
    return None


def _refusal(name: str, hold: Hold) -> Refusal:
    if hold.process is not None:
        hint = f"wait until it is started, or end what starts it: kill {hold.process}"
        return Refusal(message=f"{name} is about to start: {hold}", hint=hint)
    return Refusal(message=f"{name} is held: {hold}", hint="wait until it ends, or release it: spark-mode release")


def _is_stopped(name: str, work: Work) -> bool:
    return name in (*work.gone_services, *work.gone_models, *work.other_variants)


def _is_out_of_place(name: str, work: Work) -> bool:
    """Whether something that stays because it is held is not of the mode that is asked for, or breaks a rule beside it."""
    target = work.target
    if name in (*target.services, *target.models):
        return False
    if (target.mode or target.scope is None) and is_unneeded(name, work):
        return True
    one = member(work.rules, name)
    return any(one in (hit.one, hit.other) for hit in conflicts(work.rules, [*members(target, work.rules), one]))
