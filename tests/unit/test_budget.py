"""The budget says what the working reference says, and its limits hold to the tenth of a GB."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Footprint
from spark_mode.planning.budget import budget, memory_verdict
from spark_mode.planning.conflicts import exclusive, member

ROOT = Path(__file__).parents[2]
RULES = read_rules((ROOT / "rules.yaml").read_text(), "rules.yaml", str)
CAPACITY = 128 * GB
ROWS: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/budgets.yaml").read_text())
MORE: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/more_budgets.yaml").read_text())
VERDICTS = ("fits-easily", "fits", "tight", "oom-risk", "does-not-fit")
NAMES = st.lists(st.sampled_from(list(RULES.workloads)), unique=True, max_size=8)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_set_of_the_decision_matrix_comes_out_exactly(row: dict[str, Any]) -> None:
    workloads = [found for name in row["set"] if (found := RULES.find(name))]
    assert len(workloads) == len(row["set"])
    reckoned = budget(workloads, RULES, CAPACITY)
    assert {
        "overhead": reckoned.overhead / GB,
        "total": reckoned.total / GB,
        "remaining": reckoned.remaining / GB,
        "memory": reckoned.memory,
        "compute": reckoned.compute,
        "decision": reckoned.decision,
    } == {key: value for key, value in row.items() if key not in ("name", "set")}


@pytest.mark.parametrize("row", MORE, ids=lambda row: row["name"])
def test_a_set_beside_the_matrix_comes_out_as_on_paper(row: dict[str, Any]) -> None:
    workloads = [found for name in row.get("set", ()) if (found := RULES.find(name))]
    if "anything" in row:
        footprint = Footprint.model_validate(f"{row['anything']}GB")
        workloads.append(RULES.workloads["devstral"].model_copy(update={"footprint": footprint}))
    assert len(workloads) == len(row.get("set", (1,)))
    reckoned = budget(workloads, RULES, row.get("capacity", 128) * GB)
    assert {
        "overhead": reckoned.overhead / GB,
        "total": round(reckoned.total / GB, 3),
        "remaining": round(reckoned.remaining / GB, 3),
        "memory": reckoned.memory,
        "compute": reckoned.compute,
        "decision": reckoned.decision,
    } == {key: value for key, value in row.items() if key not in ("name", "set", "anything", "capacity")}


@pytest.mark.parametrize(
    ("total", "verdict"),
    [
        (25.0, "fits-easily"),
        (25.1, "fits"),
        (80.0, "fits"),
        (80.1, "tight"),
        (100.0, "tight"),
        (100.1, "oom-risk"),
        (128.0, "oom-risk"),
        (128.1, "does-not-fit"),
    ],
)
def test_a_limit_belongs_to_the_better_side(total: float, verdict: str) -> None:
    assert memory_verdict(round(total * GB), RULES, CAPACITY) == verdict


@pytest.mark.parametrize(("total", "verdict"), [(44.0, "fits"), (44.1, "oom-risk"), (64.0, "oom-risk"), (64.1, "does-not-fit")])
def test_on_a_smaller_machine_the_headroom_decides(total: float, verdict: str) -> None:
    assert memory_verdict(round(total * GB), RULES, 64 * GB) == verdict


@given(NAMES, st.sampled_from(list(RULES.workloads)))
def test_one_workload_more_never_makes_it_better(names: list[str], more: str) -> None:
    smaller = budget([RULES.workloads[name] for name in names], RULES, CAPACITY)
    larger = budget([RULES.workloads[name] for name in {*names, more}], RULES, CAPACITY)
    assert larger.total >= smaller.total
    assert VERDICTS.index(larger.memory) >= VERDICTS.index(smaller.memory)
    assert (smaller.decision, larger.decision) != ("no", "yes")


@given(NAMES.flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))))
def test_the_order_of_a_set_does_not_matter(orders: tuple[list[str], list[str]]) -> None:
    one, other = (budget([RULES.workloads[name] for name in names], RULES, CAPACITY) for names in orders)
    assert one == other


@given(st.sampled_from(list(RULES.workloads)), st.sampled_from(list(RULES.workloads)))
def test_exclusion_has_no_direction(one: str, other: str) -> None:
    there, back = (exclusive(RULES, member(RULES, x), member(RULES, y)) for x, y in ((one, other), (other, one)))
    assert (there is None) == (back is None)


def test_the_sizes_of_the_stand_ins_are_those_of_the_rules_divided_by_sixteen() -> None:
    folder = ROOT / "compose"
    scaled = read_rules(
        (folder / "stand-in.rules.yaml").read_text(), "stand-in.rules.yaml", lambda other: (folder / other).read_text()
    )
    assert isinstance(scaled, Rules)
    for name, workload in RULES.workloads.items():
        assert scaled.workloads[name].footprint.planned == workload.footprint.planned / 16
    assert scaled.limits.headroom == RULES.limits.headroom / 16
    held = (folder / "stand-in.yaml").read_text()
    for name in ("omni", "chatterbox", "xtts", "qwen", "f5", "whisper"):
        size = f"{RULES.workloads[name].footprint.planned / 16 / 10**6:g}MB"
        section = held.split(f"\n  {name}:\n")[1].split("\n\n")[0]
        assert f"STAND_IN_MEMORY: ${{STAND_IN_MEMORY:-{size}}}\n" in section
