"""Who goes when others have started what the rules keep apart."""

from itertools import permutations

import pytest

from spark_mode.lab.rules import AtMost, Exclusive, GuardPolicy, Rules
from spark_mode.planning.conflict_policy import conflict_victims
from spark_mode.planning.container import Container
from spark_mode.planning.mode import mode_services
from spark_mode.planning.observed import Hold, Observed
from tests.audio_lab import PROJECT, RULES, container, foreign, seen


def running(*subjects: tuple[str, float], **more: object) -> Observed:
    """Return what was observed: services, each started at a second."""
    found = tuple(container(subject, started_seconds=at) for subject, at in subjects)
    return seen().model_copy(update={"containers": found, "models": (), **more})


def go(observed: Observed, mode: str | None = None, **policy: object) -> list[str]:
    rules = RULES.model_copy(update={"guard": GuardPolicy.model_validate(policy)})
    return [one.service for one in conflict_victims(observed, PROJECT, rules, mode_services(mode, PROJECT, rules))]


def test_nothing_goes_while_no_rule_is_broken() -> None:
    assert go(running(("omni", 1), ("whisper", 2))) == []
    assert go(running(("training", 1))) == []


@pytest.mark.parametrize("first", ["omni", "training"])
def test_training_stays_whoever_came_first(first: str) -> None:
    at = {"omni": 100.0, "training": 100.0, first: 1.0}
    assert go(running(("omni", at["omni"]), ("training", at["training"]))) == ["omni"]


def test_training_goes_where_the_rules_do_not_spare_it_and_it_came_later() -> None:
    assert go(running(("omni", 1), ("training", 100)), spares=()) == ["training"]
    assert go(running(("omni", 100), ("training", 1)), spares=()) == ["omni"]


def test_under_lower_priority_the_time_does_not_count() -> None:
    priorities = {name: RULES.workloads[name].priority for name in ("omni", "training")}
    lower = min(priorities, key=lambda name: priorities[name])
    for first in ("omni", "training"):
        at = {"omni": 100.0, "training": 100.0, first: 1.0}
        assert go(running(("omni", at["omni"]), ("training", at["training"])), on_violation="lower-priority", spares=()) == [
            lower
        ]


def test_of_what_started_together_the_side_of_the_last_switch_stays() -> None:
    together = running(("omni", 50), ("training", 51))
    assert go(together, mode="audio omni", spares=()) == ["training"]
    assert go(together, mode="training", spares=()) == ["omni"]


def test_what_is_held_stays() -> None:
    hold = Hold(request="audio omni", by="ann", since="now", services=("omni",), containers=("id of omni",))
    assert go(running(("training", 1), ("omni", 100), held=(hold,)), spares=()) == ["training"]


def test_everything_that_excludes_training_goes_dependents_first() -> None:
    found = go(running(("training", 100), ("xtts", 1), ("whisper", 1), ("ollama", 1)))
    assert set(found) == {"xtts", "whisper", "ollama"}
    assert found.index("xtts") < found.index("ollama")


SPEECH = ("omni", "chatterbox", "xtts")


@pytest.mark.parametrize(
    "rule",
    [
        Exclusive(name="apart", exclusive=SPEECH, because="they exclude each other"),
        AtMost(name="one", at_most=1, of=SPEECH, because="one at a time"),
    ],
    ids=["exclusive", "at most one"],
)
@pytest.mark.parametrize("order", [*permutations(SPEECH)])
def test_of_three_that_exclude_each_other_all_but_the_first_are_named_at_once(
    rule: Exclusive | AtMost, order: tuple[str, ...]
) -> None:
    first, *newcomers = order
    observed = running(*((name, 100.0 * place) for place, name in enumerate(order)))
    found = conflict_victims(observed, PROJECT, RULES.model_copy(update={"rules": (rule,)}), ())
    assert sorted(one.service for one in found) == sorted(newcomers)
    assert {(one.rule, one.containers) for one in found} == {(rule.name, (f"id of {name}",)) for name in newcomers}
    left = running((first, 0.0))
    assert conflict_victims(left, PROJECT, RULES.model_copy(update={"rules": (rule,)}), ()) == ()


def test_what_is_not_the_labs_is_never_stopped_and_only_warned_of() -> None:
    observed = running(("omni", 1), foreign=(foreign("training", "somebody-elses"),))
    (one,) = conflict_victims(observed, PROJECT, RULES, ())
    assert (one.service, bool(one.containers)) == ("omni", True)
    rules = RULES.model_copy(update={"guard": GuardPolicy(spares=("omni",))})
    (one,) = conflict_victims(observed, PROJECT, rules, ())
    assert one.containers == ()


def test_a_lease_is_no_container_that_could_be_stopped() -> None:
    lease = Container(id="lease", name="omni", service="omni", state="leased")
    observed = running(("training", 1)).model_copy(update={"containers": (container("training"), lease)})
    assert [one.containers for one in conflict_victims(observed, PROJECT, RULES, ())] == [()]


@pytest.mark.parametrize("newcomer", ["omni", "chatterbox", "xtts"])
def test_of_three_of_which_two_may_run_the_newcomer_goes_wherever_it_stands_in_the_rule(newcomer: str) -> None:
    rule = AtMost(name="two", because="two is enough", at_most=2, of=("omni", "chatterbox", "xtts"))
    observed = running(*((name, 100.0 if name == newcomer else 1.0) for name in rule.of))
    (one,) = conflict_victims(observed, PROJECT, RULES.model_copy(update={"rules": (rule,)}), ())
    others = " and ".join(name for name in rule.of if name != newcomer)
    assert (one.service, one.cause) == (newcomer, f"{others} run, and two is enough")


def test_the_cause_names_what_stays_and_the_rule() -> None:
    (one,) = conflict_victims(running(("omni", 100), ("training", 1)), PROJECT, RULES, ())
    assert one.rule == "training-without-audio"
    assert one.cause.startswith("training runs, and training runs alone")


def test_the_rules_say_whom_the_guard_spares() -> None:
    assert Rules.model_fields["guard"].default == GuardPolicy(on_violation="newcomer", spares=None)
    assert RULES.model_copy(update={"guard": GuardPolicy()}).spared == {"training"}
