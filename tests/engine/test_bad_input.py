"""Bad input gets a message that names the place and the fix, its own exit code, and changes nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spark_mode.engine.local import local_socket
from spark_mode.errors import ConfigurationError
from tests.engine.lab import ROOT, SHIPPED, Lab

pytestmark = pytest.mark.xdist_group("bad input")  # whose tests share a lab


@pytest.fixture
def lab(standing: Lab) -> Lab:
    return standing


@pytest.fixture
def before(lab: Lab) -> list[dict[str, str]]:
    """A lab in which omni runs, as Docker sees it."""
    if set(lab.running()) != {"omni"}:
        lab.run("audio", "omni", "--yes")
    return lab.containers()


def refused(lab: Lab, before: list[dict[str, str]], code: int, says: str, *arguments: str, **environment: str) -> None:
    outcome = lab.run(*arguments, expect=code, **environment)
    assert says in outcome.err
    assert lab.containers() == before


def test_what_does_not_exist_is_named_with_a_suggestion(lab: Lab, before: list[dict[str, str]]) -> None:
    refused(lab, before, 2, 'did you mean "chatterbox"?', "audio", "chaterbox")
    refused(lab, before, 2, 'did you mean "whisper"?', "up", "wisper")
    refused(lab, before, 2, 'did you mean "training"?', "trainng")
    refused(lab, before, 2, 'did you mean "devstral"?', "audio", "omni", "--with", "devstrl")
    refused(lab, before, 2, 'unknown variant "huge"', "training:huge")
    refused(lab, before, 2, 'unknown name "nothing"', "stop", "nothing")
    refused(lab, before, 2, "No such option", "audio", "--profile")


def test_what_a_rule_or_the_budget_forbids_is_refused(lab: Lab, before: list[dict[str, str]]) -> None:
    refused(lab, before, 4, "exclude each other", "up", "omni", "training")
    refused(lab, before, 4, "are more than", "audio", "omni", "--with", "llama3.1:70b-fp16")
    refused(lab, before, 4, "oom-risk", "audio", "chatterbox", "--with", "llama3.1:70b", "--with", "devstral")
    refused(lab, before, 4, "exclude each other", "training", "--with", "devstral")


def test_a_broken_rules_file_is_named_with_its_path(lab: Lab, before: list[dict[str, str]], tmp_path: Path) -> None:
    text = (ROOT / "rules.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(text.replace("exclusive: [training, audio]", "exclusive: [trainng, audio]"))
    lab.rules = str(tmp_path / "rules.yaml")
    refused(lab, before, 3, 'rules/0/exclusive/0: unknown class "trainng"; did you mean "training"?', "training")
    lab.rules = str(tmp_path / "absent.yaml")
    refused(lab, before, 3, "No such file", "training")


def test_a_missing_image_fails_before_anything_is_stopped(lab: Lab, before: list[dict[str, str]], tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("services: {training: {image: 'spark-mode-test/nothing:1'}}")
    lab.files = (*lab.files, str(other))
    refused(lab, before, 1, "Nothing was stopped or started", "training")


def test_a_gpu_without_its_runtime_is_refused_before_anything_is_stopped(lab: Lab, before: list[dict[str, str]]) -> None:
    lab.files = ("compose/audio-lab.yaml",)
    lab.rules = "rules.yaml"
    refused(lab, before, 3, "reserves a GPU, and this Docker engine has no NVIDIA runtime", "training", "--force")


def test_an_engine_that_is_not_there_is_said(lab: Lab, before: list[dict[str, str]], tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/docker.sock"
    refused(lab, before, 6, "Docker does not answer", "training", DOCKER_HOST=nowhere)
    outcome = lab.run("plan", "training", "--format", "json", DOCKER_HOST=nowhere)
    assert outcome.json["observed"] is False
    assert outcome.json["keep"] is None
    assert outcome.json["budget"]["memory"] == "fits-easily"


def test_an_engine_on_another_host_is_refused_with_the_command_to_run_there(lab: Lab, before: list[dict[str, str]]) -> None:
    refused(lab, before, 3, "ssh spark spark-mode", "training", DOCKER_HOST="ssh://spark")
    refused(lab, before, 3, "ssh spark spark-mode", "training", DOCKER_HOST="tcp://spark:2375")


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("ssh://me@spark:22/run/docker.sock", "ssh me@spark spark-mode"),
        ("tcp://[fe80::1]:2375", "ssh [fe80::1] spark-mode"),
        ("https://spark.local", "ssh spark.local spark-mode"),
        ("fd://", "DOCKER_HOST=unix:///var/run/docker.sock"),
        ("npipe:////./pipe/docker", "DOCKER_HOST=unix:///var/run/docker.sock"),
        ("ssh://", "DOCKER_HOST=unix:///var/run/docker.sock"),
        ("tcp://a b", "DOCKER_HOST=unix:///var/run/docker.sock"),
        ("spark", "DOCKER_HOST=unix:///var/run/docker.sock"),
    ],
)
def test_an_address_that_no_engine_answers_at_here_has_a_hint_that_can_be_followed(
    host: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ConfigurationError) as refused:
        local_socket()
    assert hint in str(refused.value.hint)


STRANGE = "\x1b[2J\x9b1m\r\nspark-mode: all is well\u202e"


@pytest.mark.parametrize(
    "arguments", [(STRANGE,), ("audio", STRANGE), ("stop", STRANGE), ("--rules", STRANGE, "status"), ("-f", STRANGE, "status")]
)
def test_an_argument_rewrites_no_terminal_and_passes_for_no_words_of_ours(lab: Lab, arguments: tuple[str, ...]) -> None:
    said = lab.run(*arguments, expect=2).err
    assert len(said.splitlines()) == 2
    assert all(line.isprintable() for line in said.splitlines())


@pytest.mark.parametrize("variable", ["COMPOSE_FILE", "SPARK_MODE_RULES", "DOCKER_HOST"])
def test_a_variable_rewrites_no_terminal(lab: Lab, tmp_path: Path, variable: str) -> None:
    lab.folder, lab.files, lab.rules = tmp_path, (), None
    said = lab.run("status", expect=3, **{"COMPOSE_FILE": "x", variable: "\x1b[2J\r\u202e"}).err
    assert all(line.isprintable() for line in said.splitlines())


def test_a_compose_that_is_too_old_is_refused(lab: Lab, before: list[dict[str, str]], tmp_path: Path) -> None:
    plugin = tmp_path / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir()
    metadata = '{"SchemaVersion":"0.1.0","Vendor":"x","Version":"2.35.0"}'
    plugin.write_text(f"#!/bin/sh\ncase $* in *metadata*) echo '{metadata}';; *version*) echo 2.35.0;; *) echo '{{}}';; esac\n")
    plugin.chmod(0o755)
    refused(lab, before, 3, "2.35.0; spark-mode needs 2.36 or later", "training", DOCKER_CONFIG=str(tmp_path))


@pytest.mark.parametrize(
    ("first", "begins"),
    [("echo '\033[2JEmulate Docker CLI using podman'; ", "it begins: [2JEmulate Docker"), ("exit 0; ", "it said nothing")],
)
def test_an_answer_that_is_no_version_is_not_called_an_old_one(
    lab: Lab, before: list[dict[str, str]], tmp_path: Path, first: str, begins: str
) -> None:
    wrapper(tmp_path, f'case $* in *version*) {first};; esac; exec {which("docker")} "$@"')
    said = lab.run("training", expect=3, PATH=f"{tmp_path}:{os.environ['PATH']}").err
    assert lab.containers() == before
    assert begins in said
    assert "needs 2.36" not in said
    assert "type docker" in said
    assert len(said.splitlines()) == 2


def wrapper(folder: Path, script: str) -> None:
    """Have a folder with a `docker` of somebody's own."""
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


def which(command: str) -> str:
    """Return where the real one is."""
    found = shutil.which(command)
    assert found
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not use the socket")
def test_somebody_who_may_not_use_the_socket_is_told_how(lab: Lab) -> None:
    program = (
        "import os; from spark_mode.engine.docker import EngineApi\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534); EngineApi('/var/run/docker.sock').identity()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=ROOT, capture_output=True, text=True, env=lab.environment
    )
    assert "you may not use Docker's socket" in done.stderr


def test_files_from_elsewhere_are_refused(lab: Lab, before: list[dict[str, str]]) -> None:
    lab.files = ("oci://registry/lab",)
    refused(lab, before, 3, "from elsewhere", "training")


def test_the_json_of_plan_status_and_budget_keeps_its_fields(lab: Lab, before: list[dict[str, str]]) -> None:
    plan = lab.run("plan", "training", "--format", "json").json
    assert {"request", "observed", "target", "keep", "preemptions", "warnings", "steps", "budget"} <= set(plan)
    assert [set(step) for step in plan["steps"]] == [{"id", "action", "subject", "cause"}] * len(plan["steps"])
    assert plan["preemptions"] == [{"name": "omni", "reason": "exclusive", "rule": "training-without-audio"}]
    status = lab.run("status", "--format", "json").json
    assert {"mode", "since", "services", "ollama", "memory", "violations"} <= set(status)
    assert {"service", "class", "state", "health", "planned_gb"} <= set(status["services"][0])
    assert {"total_gb", "available_gb"} <= set(status["memory"])
    fields = {"workloads", "overhead_gb", "total_gb", "remaining_gb", "capacity_gb", "burst_gb", "memory", "compute", "decision"}
    assert fields | {"reasons"} <= set(plan["budget"])
    assert lab.containers() == before


def test_a_command_that_fails_is_not_explained_by_its_success(lab: Lab, tmp_path: Path) -> None:
    wrapper(tmp_path, f'{which("docker")} "$@" || exit; case $* in *no-start*) exit 17;; esac')
    said = lab.run("training", expect=1, PATH=f"{tmp_path}:{os.environ['PATH']}").err
    assert "training could not be created: docker compose create ended with exit code 17" in said


def test_a_broken_compose_file_is_named_and_does_not_keep_anything_from_stopping(
    lab: Lab, before: list[dict[str, str]], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("services: {omni: {imaage: x}}")
    lab.files = (*lab.files, str(broken))
    refused(lab, before, 3, "imaage", "training")
    lab.run("stop")
    assert lab.running() == {}


def test_a_changed_network_is_refused_with_the_fix(lab: Lab, tmp_path: Path) -> None:
    lab.files = SHIPPED
    lab.run("audio", "omni")
    other = tmp_path / "other.yaml"
    other.write_text("networks: {default: {labels: {changed: 'yes'}}}")
    lab.files = (*lab.files, str(other))
    refused(lab, lab.containers(), 3, f"docker network rm {lab.project}_default", "training")
