"""What deserves a look in the status: memory that creeps, a training that leaves the GPU idle."""

import json
from collections.abc import Iterator

import pytest

from documents.spark import terminal
from spark_mode.cli.show_status import status_text
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer, ForeignWorkload
from spark_mode.planning.observed import Memory, Observed
from spark_mode.reporting.gpu_load import GpuLoad
from spark_mode.reporting.status import SAMPLES, busy, notes, others_by_project
from spark_mode.reporting.status_model import ServiceStatus, Status
from tests.simulation.lab import PROJECT, RULES
from tests.simulation.machine import NoGpu, SimulatedMachine


class Busy(NoGpu):
    """A GPU with these utilisations, one after the other."""

    def __init__(self, *percents: int) -> None:
        self._percents: Iterator[int] = iter(percents)

    def utilisation(self) -> int | None:
        return next(self._percents)


def service(grown: int | None) -> ServiceStatus:
    return ServiceStatus(
        service="omni", class_="audio", state="running", health="healthy", age=1.0, planned=8 * GB, measured=8 * GB, grown=grown
    )


@pytest.mark.parametrize(("grown", "noted"), [(GB, True), (GB // 2, False), (-GB, False), (None, False)])
def test_a_service_that_grew_by_a_tenth_of_its_plan_is_noted(grown: int | None, noted: bool) -> None:
    found = list(notes((service(grown),), None, ()))
    assert (found == ["omni holds 1.0 GB more than when it settled: look for a leak, or plan it larger"]) == noted
    assert bool(found) == noted


@pytest.mark.parametrize(("percent", "noted"), [(89, True), (90, False), (None, False)])
def test_a_training_that_stays_under_90_percent_is_noted(percent: int | None, noted: bool) -> None:
    assert bool(list(notes((), percent, ("tune",)))) == noted


def test_one_moment_of_rest_is_not_idleness() -> None:
    clock = SimulatedMachine(PROJECT, RULES, GB)
    assert busy(Busy(*[20] * (SAMPLES - 1), 97), clock) == 97
    assert busy(NoGpu(), clock) is None


def other(name: str, project: str | None = None) -> ForeignContainer:
    return ForeignContainer(container=Container(id=name, name=name, state="running"), image="x", labels={}, project=project)


def shown(*others: ForeignContainer, foreign: tuple[ForeignWorkload, ...] = ()) -> list[str]:
    """Return the lines of a status in which nothing runs but this."""
    lines = status_text(status_of(others, foreign)).splitlines()
    return lines[lines.index("not this lab's, and never touched:") + 1 :]


def status_of(others: tuple[ForeignContainer, ...] = (), foreign: tuple[ForeignWorkload, ...] = ()) -> Status:
    """Return a status in which nothing runs but this."""
    return Status(
        mode="idle",
        since=None,
        services=(),
        models=(),
        memory=Memory(total=None, available=None),
        declared=0,
        capacity=GB,
        violations=(),
        foreign=(),
        others=others_by_project(Observed(others=others, foreign=foreign)),
        memory_users=(),
        utilisation=None,
        notes=(),
        changes=(),
    )


def shown_of(*names: tuple[str, str | None]) -> list[list[str]]:
    """Return how the table of services begins that shows services of these projects."""
    services = tuple(
        ServiceStatus(service=name, project=project, class_="x", state="running", health="none", age=None, planned=None)
        for name, project in names
    )
    lines = status_text(status_of().model_copy(update={"services": services})).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("SERVICE"))
    return [line.split()[:2] for line in lines[first : first + 1 + len(names)]]


def test_the_project_of_each_service_is_shown_where_not_all_of_their_names_tell_it() -> None:
    assert shown_of(("comfy/web", "comfy"), ("comfyui", "comfy"), ("served", None)) == [
        ["SERVICE", "PROJECT"],
        ["comfy/web", "comfy"],
        ["comfyui", "comfy"],
        ["served", "-"],
    ]
    assert shown_of(("comfy/web", "comfy"), ("main/web", "main")) == [
        ["SERVICE", "CLASS"],
        ["comfy/web", "x"],
        ["main/web", "x"],
    ]


def test_whose_the_containers_of_others_are_is_said_in_a_line_each() -> None:
    counted = other("b-training-1", "b")
    rule = ForeignWorkload(name="training", container=counted.container, project="b")
    assert shown(other("a-db-1", "a"), other("alone"), other("b-ui-1", "b"), counted, other("a-ui-1", "a"), foreign=(rule,)) == [
        "  project a   a-db-1, a-ui-1",
        "  project b   b-ui-1",
        "  no project  alone",
    ]


def test_many_containers_of_many_others_take_a_few_lines() -> None:
    many = [other(f"p{place // 10:02}-s{place % 10}", f"p{place // 10:02}") for place in range(200)]
    lines = shown(*many)
    assert lines[0] == "  project p00  p00-s0, p00-s1, p00-s2, p00-s3, p00-s4 and 5 more"
    assert lines[5:] == ["  15 more      150 containers"]


def test_a_mode_is_as_old_as_its_last_part_by_the_clock_of_its_services() -> None:
    with terminal() as spark:
        for one in ("audio omni", "5 minutes pass", "up whisper", "5 minutes pass"):
            spark.happens(one)
        assert "mode    none of rules.yaml: omni, whisper\n" in spark.type("spark-mode status")
        spark.happens("stop whisper")
        told = json.loads(spark.type("spark-mode status --format json"))
        assert (told["mode"], [one["service"] for one in told["services"]]) == ("audio omni", ["omni"])
        minutes = int(told["services"][0]["age_seconds"] // 60)
        assert minutes > 9
        assert f"mode    audio omni, for {minutes} min" in spark.type("spark-mode status")


def test_what_breaks_a_rule_says_what_to_type_either_way_and_what_would_not_outlast_a_reboot_too() -> None:
    with terminal() as spark:
        for one in ("audio omni", "training", "somebody starts omni"):
            spark.happens(one)
        lines = spark.type("spark-mode status").splitlines()
    assert "  → to keep omni: spark-mode stop training; to keep training: spark-mode stop omni" in lines
    runs = lines.index("note: omni runs, and would not come back after a reboot")
    assert lines[runs + 1] == "  → docker update --restart unless-stopped audio-lab-omni-1"


def test_a_reason_stands_once_and_what_ends_it_stops_all_of_a_side() -> None:
    with terminal(200) as spark:
        for one in ("audio chatterbox", "training", "somebody starts chatterbox", "somebody starts whisper"):
            spark.happens(one)
        lines = spark.type("spark-mode status").splitlines()
    because = "training runs alone: it saturates the SMs and inference stalls"
    assert [line for line in lines if "AGAINST" in line or line.startswith("  → to keep")] == [
        f"AGAINST THE RULES: chatterbox and training exclude each other ({because})",
        "  → to keep chatterbox: spark-mode stop training; to keep training: spark-mode stop chatterbox whisper",
        "AGAINST THE RULES: training and whisper exclude each other",
        "  → to keep whisper: spark-mode stop training",
    ]


def test_what_a_switch_stopped_is_said_to_stay_so_over_a_reboot() -> None:
    with terminal() as spark:
        for one in ("audio omni", "training"):
            spark.happens(one)
        assert "after a reboot stopped, as now, until you switch to it: omni" in spark.type("spark-mode status")


def test_what_the_gpu_does_now_has_a_line_where_any_of_it_is_known() -> None:
    nothing, some = status_of(), status_of().model_copy(update={"gpu": GpuLoad(celsius=35, watts=11.2)})
    assert "gpu " not in status_text(nothing)
    assert "gpu     35 °C, 11 W" in status_text(some).splitlines()
    assert some.as_json()["gpu"] == {"utilisation": None, "celsius": 35, "watts": 11.2, "megahertz": None}
