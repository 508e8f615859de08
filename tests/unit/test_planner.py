"""The planner against tables of cases, and what must hold for every plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.mode import current_mode
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.plan import Create, Plan, Start, Stop
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import ModeRequest, Request, StopRequest, UpRequest
from tests.plan_case import PlanCase, read_plan_cases
from tests.simulation.lab import PROJECT, RULES

CASES = read_plan_cases()
ALL = [case for cases in CASES.values() for case in cases]
SERVICES = sorted(PROJECT.services)
REQUESTS = st.one_of(
    st.sampled_from(["omni", "chatterbox", "xtts", "qwen", "f5"]).map(lambda name: ModeRequest(mode="audio", profile=name)),
    st.sampled_from([None, "small", "large"]).map(lambda variant: ModeRequest(mode="training", variant=variant)),
    st.lists(st.sampled_from(SERVICES), min_size=1, max_size=2).map(lambda names: UpRequest(names=tuple(names))),
    st.just(StopRequest()),
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


def observed(running: list[str], free: int) -> Observed:
    return Observed(
        containers=tuple(container(name, "running" if name in running else "exited") for name in SERVICES),
        memory=Memory(total=128 * GB, available=free * GB),
        images={name: f"id of {name}" for name in SERVICES},
    )


def plan(request: Request, seen: Observed) -> Plan:
    return make_plan(request, PROJECT, RULES, seen, 128 * GB)


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES)
def test_a_case_gives_exactly_its_plan(cases: list[PlanCase]) -> None:
    assert {case.name: case.answer() for case in cases} == {case.name: case.expected for case in cases}


def test_every_case_has_a_name_of_its_own_and_asks_what_no_other_asks() -> None:
    for told in ([case.name for case in ALL], [case.asked for case in ALL]):
        assert [one for at, one in enumerate(told) if one in told[:at]] == []


@given(st.lists(st.sampled_from(SERVICES), unique=True), REQUESTS)
def test_a_plan_stops_before_it_starts_and_leads_where_nothing_is_left_to_do(running: list[str], request: Request) -> None:
    seen = observed(running, 120)
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
    after = observed(sorted(there), 100)
    again = after.model_copy(
        update={
            "containers": tuple(one.model_copy(update={"variant": varied.get(one.service or "")}) for one in after.containers)
        }
    )
    assert plan(request, again).steps == ()
    if made.mode:
        assert current_mode(again, PROJECT, RULES) == made.mode


@pytest.mark.parametrize("request_", [ModeRequest(mode="training"), StopRequest()], ids=str)
def test_of_several_containers_of_one_service_it_is_said_that_one_comes_back(request_: Request) -> None:
    seen = observed(["omni"], 100)
    said = "omni runs 2 times and is stopped with all of them; restore brings one back"
    assert said not in plan(request_, seen).warnings
    second = container("omni", "running").model_copy(update={"id": "omni-1", "name": "lab-omni-2"})
    seen = seen.model_copy(update={"containers": (*seen.containers, second)})
    assert said in plan(request_, seen).warnings
