"""What somebody holds is never stopped, for whatever reason: the request is refused, and names who holds it."""

from composer.planning.plan import Refusal
from composer.planning.preemption import is_unneeded
from composer.planning.work import Work


def hold_refusal(work: Work) -> Refusal | None:
    """Return the refusal of a request that stops, or whose mode has no place for, something that is held."""
    going = {*work.gone_services, *work.gone_models, *work.other_variants}
    wanted = {*work.target.services, *work.target.models}
    for name in (*work.observed.active_services, *work.observed.models):
        hold = work.observed.hold_of(name)
        if hold and (name in going or (work.target.mode and name not in wanted and is_unneeded(name, work))):
            return Refusal(message=f"{name} is held: {hold}", hint="wait until it ends, or release it: spark-mode release")
    return None
