"""Which containers that are not of the lab's project are its workloads all the same."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from spark_mode.lab.size import GB
from spark_mode.planning.conflict_policy import conflict_victims
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_conflicts import stop_it_yourself
from spark_mode.planning.foreign_workload import Command, ForeignContainer, ForeignWorkload
from spark_mode.planning.mode import violations
from spark_mode.planning.observed import Observed
from spark_mode.session.foreign_workloads import foreign_workloads, hidden_from_others
from tests.audio_lab import PROJECT, ROOT, RULES, container, rules_of, seen
from tests.unit.test_admission import refusal

FILE = "/lab/compose/audio-lab.yaml"
SERVICES = ("omni", "chatterbox", "xtts", "qwen", "f5", "whisper", "ollama", "training")


def other(service: str | None = None, file: str = FILE, image: str = "x", name: str = "", **labels: str) -> ForeignContainer:
    """Return a running container of another project; `_` in a label's name stands for a dot."""
    compose = {"com.docker.compose.project.config_files": file} if service else {}
    given = {f"org.spark-mode.{key}": value for key, value in labels.items()}
    one = Container(id=f"id of {name or service}", name=name or f"aa-{service}-1", state="running", service=service)
    return ForeignContainer(container=one, image=image, labels={**compose, **given}, project="aa" if service else None)


def names(*others: ForeignContainer, file: str = FILE, scope: str = "machine") -> list[str]:
    rules = RULES.model_copy(update={"scope": scope})
    return [one.name for one in foreign_workloads(others, rules, PROJECT, {file: "lab"})]


@pytest.mark.parametrize("service", SERVICES)
def test_what_was_made_from_the_labs_own_file_under_another_name_is_what_its_service_is(service: str) -> None:
    assert names(other(service)) == [service]
    assert names(other(service, f"/a.yaml,{FILE},/b.yaml")) == [service]
    assert names(other(service, "/elsewhere/audio-lab.yaml")) == []


def test_files_are_the_same_when_their_resolved_paths_are(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/compose.yaml").touch()
    (tmp_path / "link").symlink_to("real")
    own, known_as = str(tmp_path / "real/compose.yaml"), str(tmp_path / "link/../link/compose.yaml")
    assert names(other("omni", known_as), file=own) == ["omni"]
    assert names(other("omni", own), file=known_as) == ["omni"]


@pytest.mark.parametrize(
    ("label", "known"),
    [("training", ["training"]), ("tetris", ["training"]), ("ollama", ["ollama"]), ("llama3.1:8b", ["llama3.1:8b"]), ("no", [])],
)
def test_the_label_of_a_workload_names_it_by_name_alias_or_host(label: str, known: list[str]) -> None:
    assert names(other(name="run-7", workload=label)) == known


@pytest.mark.parametrize(("image", "name"), [("team/ssd-tetris:1", "run-7"), ("x", "ssd-training")])
def test_what_rules_yaml_knows_by_image_or_name_counts_as_before(image: str, name: str) -> None:
    assert names(other(image=image, name=name)) == ["training"]


def test_a_container_known_in_several_ways_counts_once() -> None:
    assert names(other("training", image="ssd-tetris", workload="tetris")) == ["training"]


@pytest.mark.parametrize("scope", ["machine", "project"])
def test_a_lab_of_its_own_is_counted_by_nobody_and_counts_nobody(scope: str) -> None:
    stand_in = other("omni", workload="omni", scope="project")
    real = other("training", workload="training")
    assert names(stand_in, real, scope=scope) == (["training"] if scope == "machine" else [])


def test_a_lab_of_the_machine_whose_labels_hide_it_from_others_is_known_by_its_services_and_containers() -> None:
    labelled = PROJECT.services["omni"].model_copy(update={"scope": "project"})
    project = PROJECT.model_copy(update={"name": "aa", "services": {**PROJECT.services, "omni": labelled}})
    others = (other("omni", scope="project"), other("xtts", scope="project"), other("f5"), other(name="x", scope="project"))
    assert hidden_from_others(others, RULES, project) == ("omni", "aa-xtts-1")
    assert hidden_from_others(others, RULES.model_copy(update={"scope": "project"}), project) == ()
    assert hidden_from_others(others, RULES, PROJECT) == (), "what others run is theirs to say"


def test_the_model_that_a_foreign_profile_needs_is_budgeted_and_a_foreign_host_alone_has_none() -> None:
    assert names(other("xtts"), other("whisper"), other("ollama")) == ["xtts", "whisper", "ollama", "llama3.1:8b"]
    assert names(other("ollama")) == ["ollama"]
    whole = Observed(
        foreign=foreign_workloads([other(one) for one in ("xtts", "whisper", "ollama")], RULES, PROJECT, {FILE: "lab"})
    )
    assert sum(one.footprint.planned for one in whole.workloads(RULES)) == 10 * GB


def test_a_foreign_variant_is_budgeted_as_it_runs() -> None:
    large = ForeignWorkload(name="training", container=container("training:large"), project="aa")
    assert [one.label for one in Observed(foreign=(large,)).workloads(RULES)] == ["training:large"]


def under_aa(*services: str) -> tuple[ForeignWorkload, ...]:
    return foreign_workloads([other(one) for one in services], RULES, PROJECT, {FILE: "lab"})


@pytest.mark.parametrize(
    ("line", "services", "stop"),
    [
        ("training", ("chatterbox", "whisper", "ollama"), "aa-chatterbox-1 aa-whisper-1 aa-ollama-1"),
        ("training", ("ollama",), "aa-ollama-1"),
        ("training", ("training",), "aa-training-1"),
        ("audio xtts", ("chatterbox",), "aa-chatterbox-1"),
        ("audio xtts", ("ollama",), "aa-ollama-1"),
        ("up whisper", ("training",), "aa-training-1"),
    ],
)
def test_what_meets_the_lab_under_another_name_is_refused_with_the_command_that_stops_all_of_it(
    line: str, services: tuple[str, ...], stop: str
) -> None:
    found = refusal(line, seen(foreign=under_aa(*services)), force=True)
    assert found is not None
    assert found.kind == "rule"
    assert "of the project aa is running: " in found.message
    assert found.hint == f"spark-mode never stops what is not the lab's; stop it yourself: docker stop {stop}"


def test_what_excludes_nothing_of_it_is_admitted_beside_the_lab_under_another_name() -> None:
    assert refusal("up whisper", seen(foreign=under_aa("omni"))) is None
    assert refusal("stop", seen(foreign=under_aa(*SERVICES))) is None


def test_a_service_of_the_lab_that_rules_yaml_leaves_out_refuses_a_switch_under_any_name() -> None:
    project = PROJECT.model_copy(update={"services": {**PROJECT.services, "thing": PROJECT.services["omni"]}})
    found = foreign_workloads([other("thing"), other("notebook")], RULES, project, {FILE: "lab"})
    assert [one.name for one in found] == ["thing"]
    refused = refusal("audio omni", seen(foreign=found))
    assert refused is not None
    assert refused.message == '"aa-thing-1" is running and its service "thing" is not in rules.yaml'


def test_the_guard_only_warns_of_what_runs_under_another_name_and_training_stays() -> None:
    observed = seen("training", foreign=under_aa("omni"))
    assert [str(one) for one in violations(observed, RULES)] != []
    assert [(one.service, one.containers) for one in conflict_victims(observed, PROJECT, RULES, ())] == [("omni", ())]


def test_every_service_of_the_shipped_lab_says_which_workload_it_is_and_every_stand_in_that_it_is_a_lab_of_its_own() -> None:
    def labels(file: str) -> Mapping[str, Mapping[str, str]]:
        text = (ROOT / "compose" / file).read_text().replace("!reset", "").replace("!override", "")  # Compose's own tags
        return {name: service.get("labels", {}) for name, service in yaml.safe_load(text)["services"].items()}

    assert labels("audio-lab.yaml") == {name: {"org.spark-mode.workload": name} for name in SERVICES}
    assert labels("stand-in.yaml") == {name: {"org.spark-mode.scope": "project"} for name in SERVICES}
    assert RULES.scope == "machine"
    assert rules_of((ROOT / "compose/stand-in.rules.yaml").read_text()).scope == "project"


def test_who_is_refused_because_of_a_command_is_told_that_a_wait_for_switches_is_none_for_it() -> None:
    command = Command(
        workload="training", class_="training", variant=None, size=1, title="x", project="lab", by="ann", since="", pid=7, began=1
    )
    hint = stop_it_yourself([ForeignWorkload(name="training", container=command.as_container(), command=command)])
    assert hint == (
        "wait for its end, or end it: Ctrl-C at its terminal, or kill -- -7; "
        "--wait waits for switches alone, and for this: tail --pid=7 -f /dev/null"
    )
