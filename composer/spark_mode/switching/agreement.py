"""The one question that is ever asked: whether a training that runs may be stopped. It is never asked under a lock."""

from collections.abc import Sequence

from spark_mode.errors import Interrupted, Refused
from spark_mode.planning.conflict_policy import Victim
from spark_mode.planning.digest import what_changed
from spark_mode.planning.plan import Plan
from spark_mode.switching.report import Confirm, SwitchOptions
from spark_mode.switching.untouched import untouched

ROUNDS = 5
"""How often at most is asked and planned anew, because more would be stopped by then."""


class Unasked(Exception):
    """Under the lock it turned out that `plan` stops a training which nobody was asked about."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.request)
        self.plan = plan


def refused_unasked(plan: Plan) -> Refused:
    """Return the refusal of what comes back by itself, where nobody asks or answers, and would stop a training."""
    names = ", ".join(one.name for one in plan.stops_training)
    message = f"{names} runs by now, and what ran before does not come back over it"
    return Refused(message, "to have it instead: spark-mode restore")


class Agreement:
    """What was agreed to for one request, which had `enforced` stopped at once before."""

    def __init__(self, options: SwitchOptions, confirm: Confirm | None, enforced: Sequence[Victim]) -> None:
        self._options, self._confirm, self._enforced = options, confirm, enforced
        self._services: frozenset[str] | None = None
        self._expected = options.expect

    def ask(self, plan: Plan) -> None:
        """Agree to what a plan stops.

        Raises Refused when the answer is no, or nobody can be asked who must be, Interrupted at Ctrl-C.
        """
        if plan.stops_training and not self._options.yes:
            names = ", ".join(one.name for one in plan.stops_training)
            if self._confirm is None or self._options.no_input:
                self._unattended(plan, names)
            elif not self._answer(self._confirm, plan):
                raise Refused(f"you said no, so {names} goes on; {untouched(self._enforced, 'was touched')}")
        self._services = frozenset(one.service for one in plan.stops_training)

    def _answer(self, confirm: Confirm, plan: Plan) -> bool:
        try:
            return confirm(plan.stops_training)
        except Interrupted as error:
            raise Interrupted(f"{error.message}; {untouched(self._enforced, 'was touched')}") from None

    def _unattended(self, plan: Plan, names: str) -> None:
        """Without a terminal a request goes ahead with what it was planned to stop, and with no more than that.

        Not `up`, nor what comes back by itself, and nothing at all where no question was to be asked, and so none answered.
        """
        if self._options.only_after:
            raise refused_unasked(plan)
        if plan.request.startswith("up ") or self._options.no_input:
            raise Refused(f"{plan.request} would stop {names}, which runs", "add --yes to agree to that")
        if self._services is not None:
            raise Refused(f"{names} started meanwhile and would be stopped", "look at it and ask again")

    def require(self, plan: Plan) -> None:
        """See, under the lock, that a plan is what was agreed to, and stops nothing more. Raises Unasked, and Refused.

        What the rules had stopped at once has changed the plan, and what is done after it belongs to the same request.
        """
        if not self._enforced:
            self.require_expected(plan)
        if not self._options.yes and any(one.service not in (self._services or ()) for one in plan.stops_training):
            raise Unasked(plan)
        self._expected = None

    def require_expected(self, plan: Plan) -> None:
        """See that a plan is the one that was agreed to by its digest, where one was. Raises Refused, naming what changed."""
        if self._expected and (changed := what_changed(self._expected, plan)):
            message = f"the plan is another one by now: {changed}; {untouched(self._enforced, 'was touched')}"
            raise Refused(message, f"see the new one: spark-mode plan {plan.request}")
