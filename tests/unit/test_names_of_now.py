"""A service is found again under the name that it has now, whoever else has it, had it, or cannot be read."""

import pytest

from spark_mode.journal.journal import JournalState, UnfinishedSwitch
from spark_mode.journal.names_of_now import in_names_of_now
from spark_mode.journal.records import Began, Policy
from spark_mode.journal.state import Before, State
from spark_mode.lab.joined import joined
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Hold, Memory, Observed
from spark_mode.planning.plan import Create, Start, StartContainer, Stop, Verify
from spark_mode.planning.request import UpRequest


def project(name: str, *services: str) -> Project:
    return read_project({"name": name, "services": {service: {"image": "image"} for service in services}}, {})


UNREAD = Project(name="b", unusable={"": "broken"})
MAIN, B = project("main", "training", "ui"), project("b", "ui", "page")
ALONE, BOTH, WITH_UNREAD = MAIN, joined((MAIN, B)), joined((MAIN, UNREAD))
B_ONLY = joined((project("main", "training"), B))


def restored(name: str, now: Project, owner: str | None = None) -> str:
    """Return under which name something that ran before comes back."""
    projects = {name: owner} if owner else {}
    before = Before(mode="-", services=(name,), beside=(name,), variants={name: "large"}, projects=projects)
    found = in_names_of_now(JournalState(state=State(before=before)), now).state.before
    assert found
    assert found.beside == found.services == tuple(found.variants)
    assert in_names_of_now(JournalState(state=State(before=found)), now).state.before == found, "it is so for good"
    return found.services[0]


@pytest.mark.parametrize(
    ("name", "owner", "now", "known_as"),
    [
        ("ui", None, BOTH, "main/ui"),  # of an old record, or when the lab had one project
        ("ui", None, ALONE, "ui"),
        ("ui", None, B_ONLY, "ui"),
        ("ui", "main", BOTH, "main/ui"),
        ("ui", "b", BOTH, "b/ui"),
        ("ui", "b", B_ONLY, "ui"),
        ("ui", "b", ALONE, "b/ui"),  # which is gone, and no namesake comes in its place
        ("ui", "b", WITH_UNREAD, "b/ui"),
        ("main/ui", None, ALONE, "ui"),
        ("main/ui", "main", WITH_UNREAD, "ui"),
        ("b/ui", None, BOTH, "b/ui"),
        ("b/ui", "b", B_ONLY, "ui"),
        ("page", "b", BOTH, "page"),
        ("vendor/model", None, BOTH, "vendor/model"),
        ("gone", None, BOTH, "gone"),
    ],
)
def test_what_ran_before_is_found_under_the_name_of_now(name: str, owner: str | None, now: Project, known_as: str) -> None:
    assert restored(name, now, owner) == known_as


def test_a_switch_that_was_cut_off_is_recovered_with_the_names_of_now() -> None:
    container = Container(id="1", name="ui", state="running", service="ui", project="b")
    steps = (
        Create(subject="ui", cause="-", services=("ui",), variants={"ui": "large"}),
        Stop(subject="ui", cause="-", service="ui", containers=("1",), by_compose=False, after=("ui",)),
        Start(subject="ui", cause="-", service="ui", completes=False, ready_seconds=1.0, after={"ui": "ready"}),
        StartContainer(subject="ui", cause="-", container="1"),
        Verify(subject="-", cause="-", services=("ui",), completes=("ui",)),
    )
    began = Began(
        switch="1",
        at="-",
        by="ann",
        request=UpRequest(names=("ui",)),
        steps=steps,
        before=Observed(containers=(container,), memory=Memory(total=None, available=None)),
        restore=True,
        inputs={},
    )
    known = JournalState(
        unfinished=UnfinishedSwitch(began=began, steps=steps, ready=("ui",)),
        holds=(Hold(request="-", by="ann", since="-", services=("main/ui",)),),
        policies={"2": Policy(container="2", service="main/ui", policy="always")},
    )
    found = in_names_of_now(known, BOTH).unfinished
    assert found
    assert found.began.before.containers[0].service == "b/ui"
    assert found.began.before.containers[0].name == "ui"
    assert found.began.request == UpRequest(names=("b/ui",))
    assert found.steps == found.began.steps
    create, stop, start, by_id, verify = found.steps
    assert (create, verify) == (
        steps[0].model_copy(update={"services": ("b/ui",), "variants": {"b/ui": "large"}}),
        steps[4].model_copy(update={"services": ("b/ui",), "completes": ("b/ui",)}),
    )
    assert stop == steps[1].model_copy(update={"subject": "b/ui", "service": "b/ui", "after": ("b/ui",)})
    assert start == steps[2].model_copy(update={"subject": "b/ui", "service": "b/ui", "after": {"b/ui": "ready"}})
    assert (by_id, found.ready) == (steps[3], ("b/ui",))
    alone = in_names_of_now(known, ALONE)
    assert (alone.holds[0].services, alone.policies["2"].service) == (("ui",), "ui")
