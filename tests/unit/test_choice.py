"""The choice of what to stop, against brute force over all subsets of random labs."""

import os

from hypothesis import event, given, settings

from tests.brute_force import BruteForce
from tests.random_labs import RandomLab, random_labs

LABS = int(os.environ.get("SPARK_MODE_LABS", "80"))


def stopped(lab: RandomLab) -> frozenset[str] | None:
    """Return what is gone after the lab's plan, services and models that were admitted; None where it is refused."""
    made = lab.plan()
    if made.refusal:
        return None
    services = [name for name in lab.running if name not in (*(made.keep or ()), *made.target)]
    return frozenset([*services, *(name for name in lab.admitted if name not in made.models)])


@settings(max_examples=LABS, deadline=None)
@given(random_labs())
def test_what_a_plan_stops_is_what_trying_every_subset_finds(lab: RandomLab) -> None:
    best = BruteForce(lab).best()
    event("impossible" if best is None else f"stops {len(best)}")
    event(lab.ask.partition(" ")[0])
    assert stopped(lab) == best, lab
