"""The planner against tables of cases, and what must hold for every plan."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.size import GB
from spark_mode.planning.mode import current_mode
from spark_mode.planning.observed import Container, Memory, Observed
from spark_mode.planning.plan import Create, Plan, Start, Stop
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import Request
from tests.simulation.lab import PROJECT, RULES

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "cases/plans.yaml").read_text())
SERVICES = sorted(PROJECT.services)
REQUESTS = st.one_of(
    st.sampled_from(["omni", "chatterbox", "xtts", "qwen", "f5"]).map(lambda name: Request(verb="audio", names=(name,))),
    st.sampled_from([(), ("small",), ("large",)]).map(lambda names: Request(verb="training", names=names)),
    st.lists(st.sampled_from(SERVICES), min_size=1, max_size=2).map(lambda names: Request(verb="up", names=tuple(names))),
    st.just(Request(verb="stop")),
)


def container(service: str, state: str) -> Container:
    """Return a container as Compose would have made it."""
    return Container(
        id=f"{service}-0",
        name=f"lab-{service}-1",
        service=service,
        state=state,
        health="healthy" if state == "running" and PROJECT.services[service].healthcheck else "none",
        config_hash=PROJECT.services[service].config_hash,
        image_id=f"id of {service}",
    )


def observed(running: list[str], models: list[str], free: float, missing: list[str]) -> Observed:
    states = {name: "running" if name in running else "exited" for name in SERVICES if name not in missing}
    return Observed(
        containers=tuple(container(name, state) for name, state in states.items()),
        models=tuple(models),
        memory=Memory(total=128 * GB, available=round(free * GB)),
        images={name: f"id of {name}" for name in SERVICES},
    )


def plan(request: Request, seen: Observed) -> Plan:
    return make_plan(request, PROJECT, RULES, seen, 128 * GB)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case_gives_exactly_its_plan(case: dict[str, Any]) -> None:
    seen = observed(case["running"], case.get("models", []), case["free"], case.get("missing", []))
    made = plan(Request.model_validate(case["ask"]), seen)
    assert str(made) == case["plan"].rstrip("\n")
    if "keep" in case:
        assert list(made.keep or ()) == case["keep"]


@given(st.lists(st.sampled_from(SERVICES), unique=True), REQUESTS)
def test_a_plan_stops_before_it_starts_and_leads_where_nothing_is_left_to_do(running: list[str], request: Request) -> None:
    seen = observed(running, [], 120, [])
    made = plan(request, seen)
    assert made == plan(request, seen)
    if made.refusal:
        assert made.steps == ()
        return
    kinds = [type(step) for step in made.steps]
    if Start in kinds and Stop in kinds:
        assert max(index for index, kind in enumerate(kinds) if kind is Stop) < kinds.index(Start)
    going = {step.service for step in made.steps if isinstance(step, Stop)}
    coming = {step.service for step in made.steps if isinstance(step, Start)}
    varied = {name: variant for step in made.steps if isinstance(step, Create) for name, variant in step.variants.items()}
    there = (set(running) - going) | coming
    assert not ("training" in there and there - {"training"})
    after = observed(sorted(there), [], 100, [])
    again = after.model_copy(
        update={
            "containers": tuple(one.model_copy(update={"variant": varied.get(one.service or "")}) for one in after.containers)
        }
    )
    assert plan(request, again).steps == ()
    if made.mode:
        assert current_mode(again, PROJECT, RULES) == made.mode


@pytest.mark.parametrize("request_", [Request(verb="training"), Request(verb="stop")], ids=str)
def test_of_several_containers_of_one_service_it_is_said_that_one_comes_back(request_: Request) -> None:
    seen = observed(["omni"], [], 100, [])
    said = "omni runs 2 times and is stopped with all of them; restore brings one back"
    assert said not in plan(request_, seen).warnings
    second = container("omni", "running").model_copy(update={"id": "omni-1", "name": "lab-omni-2"})
    seen = seen.model_copy(update={"containers": (*seen.containers, second)})
    assert said in plan(request_, seen).warnings


@pytest.mark.parametrize("names", [("nothing",), ("training:huge",)])
def test_an_unknown_name_is_a_usage_fault(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageFault):
        plan(Request(verb="up", names=names), observed([], [], 100, []))


def test_a_service_that_no_workload_describes_is_a_configuration_error() -> None:
    other = PROJECT.model_copy(
        update={
            "services": {
                **PROJECT.services,
                "new": PROJECT.services["omni"].model_copy(update={"name": "new", "profiles": ("new",)}),
            }
        }
    )
    with pytest.raises(ConfigurationError, match='"new" has no workload'):
        make_plan(Request(verb="up", names=("new",)), other, RULES, observed([], [], 100, []), 128 * GB)


def test_something_unknown_that_runs_refuses_a_switch_and_not_a_stop() -> None:
    seen = observed([], [], 100, [])
    unknown = Container(id="x", name="lab-x-1", service="x", state="running")
    seen = seen.model_copy(update={"containers": (*seen.containers, unknown)})
    refusal = plan(Request(verb="training"), seen).refusal
    assert refusal is not None
    assert '"x" is not in rules.yaml' in refusal.message
    assert [step.subject for step in plan(Request(verb="stop"), seen).steps] == ["x"]


def test_without_an_engine_a_plan_says_what_fits_and_nothing_of_what_runs() -> None:
    made = plan(Request(verb="training"), Observed(complete=False, memory=Memory(total=None, available=None)))
    assert (made.observed, made.keep, made.preemptions, made.steps, made.refusal) == (False, None, None, (), None)
    assert made.budget.total == 16 * GB


@pytest.mark.parametrize(("free", "advised"), [(5, True), (19, False)])
def test_dropping_the_page_cache_is_advised_only_when_it_is_what_is_missing(free: int, advised: bool) -> None:
    memory = Memory(total=128 * GB, available=100 * GB, free=free * GB)
    seen = observed([], [], 100, []).model_copy(update={"memory": memory})
    omni = Request(verb="audio", names=("omni",))
    assert any("--drop-caches" in warning for warning in plan(omni, seen).warnings) == advised
    asked = plan(omni.model_copy(update={"drop_caches": True}), seen)
    assert not any("--drop-caches" in warning for warning in asked.warnings)
    assert "drop-caches" in [step.action for step in asked.steps]
