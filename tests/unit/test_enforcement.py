"""The gate's file and questions, and the plugin's arguments; without an engine."""

import json
import os
import socket
from pathlib import Path

import pytest

from spark_mode.cli.docker_plugin import metadata, own_arguments
from spark_mode.enforcement import gate_file
from spark_mode.enforcement.gate import Question, read_question
from spark_mode.enforcement.notify import notify
from spark_mode.enforcement.patience import once_ready
from spark_mode.enforcement.presence import unit_in
from spark_mode.errors import ConfigurationError, EngineUnavailable, SparkModeError, UsageFault
from spark_mode.lab.files import LabFiles
from spark_mode.lab.rules import Mode
from spark_mode.planning.planner import plan
from spark_mode.planning.start_admission import start_refusal, the_command
from spark_mode.sharing.leases import Lease
from tests.audio_lab import CAPACITY, PROJECT, RULES, request, seen


def test_a_start_that_the_planner_would_do_without_stopping_anything_may_go_ahead() -> None:
    assert start_refusal("omni", PROJECT, RULES, seen(), CAPACITY) is None
    assert start_refusal("training", PROJECT, RULES, seen(), CAPACITY) is None
    assert start_refusal("ollama", PROJECT, RULES, seen("whisper"), CAPACITY) is None


def test_a_start_beside_what_it_excludes_is_refused_with_the_command_that_works() -> None:
    refusal = start_refusal("omni", PROJECT, RULES, seen("training"), CAPACITY)
    assert refusal is not None
    assert "omni does not start beside training: training runs alone" in refusal.message
    assert refusal.hint == "to have it instead: spark-mode audio omni, which stops training"


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("omni", "spark-mode audio omni"),
        ("training", "spark-mode training"),
        ("whisper", "spark-mode up whisper"),
        ("ollama", "spark-mode up ollama"),
    ],
)
def test_the_command_to_type_instead_names_a_mode_where_there_is_one(service: str, command: str) -> None:
    assert the_command(service, PROJECT, RULES) == command


@pytest.mark.parametrize(("mode", "command"), [("audio", "spark-mode audio omni"), ("speech", "spark-mode speech omni")])
def test_the_command_to_type_instead_is_one_that_there_is(mode: str, command: str) -> None:
    modes = {mode: Mode.model_validate({"class": "audio", "profiles": ("omni",)})}
    assert the_command("omni", PROJECT, RULES.model_copy(update={"modes": modes})) == command


def test_every_service_has_a_gate_with_its_own_profiles(tmp_path: Path) -> None:
    text = gate_file.gate_text(PROJECT, tmp_path, "/srv/rules.yaml", tmp_path / gate_file.PROGRAM)
    services = {}
    for line in text.splitlines()[2:]:
        name, _, value = line.strip().partition(": ")
        services[json.loads(name)] = json.loads(value)
    for name, service in PROJECT.services.items():
        gate = services[gate_file.gate_of(name)]
        assert services[name] == {"depends_on": {gate_file.gate_of(name): {"condition": "service_started"}}}
        assert gate["provider"]["options"] == {"lab": str(tmp_path), "rules": "/srv/rules.yaml", "service": name}
        assert tuple(gate.get("profiles", ())) == service.profiles


@pytest.mark.parametrize(
    "text",
    ["A=1\nCOMPOSE_FILE=compose/lab.yaml\nB=2\n", "COMPOSE_FILE=compose/lab.yaml\n", "# nothing\n", "A=1\n", None],
    ids=["named", "named alone", "not named", "something else", "no .env"],
)
def test_the_gate_comes_and_goes_and_the_rest_of_the_lab_stays(text: str | None, tmp_path: Path) -> None:
    env = tmp_path / ".env"
    if text is not None:
        env.write_text(text)
        env.chmod(0o640)
    for _ in range(2):
        gate_file.install(PROJECT, tmp_path, LabFiles(compose=(str(tmp_path / "compose/lab.yaml"),), rules="/srv/rules.yaml"))
        assert env.read_text().count("COMPOSE_FILE=compose/lab.yaml:spark-mode.gate.yaml") == 1
    assert text is None or env.stat().st_mode & 0o777 == 0o640
    assert gate_file.uninstall(tmp_path)
    assert not gate_file.uninstall(tmp_path)
    assert (env.read_text() if env.exists() else None) == text
    assert list(tmp_path.glob("*gate*")) == []


@pytest.mark.parametrize("text", ["COMPOSE_FILE='compose/lab.yaml'\n", None], ids=["quoted", "named since"])
def test_a_setting_that_others_made_or_changed_stays_without_the_gate(text: str | None, tmp_path: Path) -> None:
    env = tmp_path / ".env"
    if text is not None:
        env.write_text(text)
    gate_file.install(PROJECT, tmp_path, LabFiles(compose=(str(tmp_path / "compose/lab.yaml"),), rules="/srv/rules.yaml"))
    if text is None:
        env.write_text(env.read_text().replace(f":{gate_file.NAME}", f":{gate_file.NAME}:more.yaml"))
    assert gate_file.uninstall(tmp_path)
    assert env.read_text() == ("COMPOSE_FILE=compose/lab.yaml:more.yaml\n" if text is None else text.replace("'", ""))


@pytest.mark.parametrize("name", [gate_file.NAME, gate_file.PROGRAM])
def test_a_file_of_somebody_else_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("services: {}\n")
    files = LabFiles(compose=("a.yaml",), rules="r")
    for act in (lambda: gate_file.install(PROJECT, tmp_path, files), lambda: gate_file.uninstall(tmp_path)):
        with pytest.raises(ConfigurationError, match="is not from spark-mode"):
            act()
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(name, "services: {}\n")]


def test_the_gate_reads_what_compose_asks() -> None:
    asked = ["compose", "--project-name=lab", "up", "--lab=/srv/lab", "--rules=/r.yaml", "--service=omni", "gate"]
    assert read_question(asked) == Question("lab", Path("/srv/lab"), "/r.yaml", "omni")
    assert read_question(["compose", "--project-name=lab", "down", "--lab=/srv/lab", "gate"]) is None
    with pytest.raises(SparkModeError, match="lab, rules, service"):
        read_question(["compose", "--project-name=lab", "up", "gate"])


@pytest.mark.parametrize(
    ("arguments", "left", "variables"),
    [
        (["spark", "status"], ["status"], {}),
        (["-c", "far", "spark", "status"], ["status"], {"DOCKER_CONTEXT": "far"}),
        (["--context=far", "--debug", "spark", "plan", "spark"], ["plan", "spark"], {"DOCKER_CONTEXT": "far"}),
        (["-H", "unix:///run/x.sock", "--tls", "spark"], [], {"DOCKER_HOST": "unix:///run/x.sock"}),
        (["-Hunix:///run/x.sock", "spark"], [], {"DOCKER_HOST": "unix:///run/x.sock"}),
        (["--config", "/etc/docker", "-l", "debug", "spark", "map"], ["map"], {"DOCKER_CONFIG": "/etc/docker"}),
        (["--config", "spark", "spark", "map"], ["map"], {"DOCKER_CONFIG": "spark"}),
    ],
)
def test_dockers_own_options_before_the_name_are_understood(
    arguments: list[str], left: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "/usr/bin/docker")
    assert own_arguments(arguments) == ("run", left)
    assert {
        name: os.environ[name] for name in ("DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_CONFIG") if name in os.environ
    } == variables


def test_a_context_overrides_a_host_in_the_environment_as_for_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "/usr/bin/docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "before")  # so that it is put back
    own_arguments(["--context", "here", "spark"])
    assert "DOCKER_HOST" not in os.environ
    assert os.environ["DOCKER_CONTEXT"] == "here"


def test_without_docker_the_arguments_are_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", raising=False)
    assert own_arguments(["spark", "status"]) is None
    assert own_arguments(["__complete", "spark", "au"]) == ("complete", ["au"])


def test_the_metadata_has_what_docker_asks_for() -> None:
    known = json.loads(metadata())
    assert known["SchemaVersion"] == "0.1.0"
    assert known["Vendor"]
    assert known["Version"]


def test_systemd_is_told_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert systemd.recv(64) == b"READY=1"
    notify("WATCHDOG=1")  # nobody listens any more


def test_a_lab_that_cannot_be_opened_yet_is_waited_for_said_once_and_systemd_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    faults: list[SparkModeError] = [ConfigurationError("rules.yaml: is half a file")] * 3
    faults += [EngineUnavailable("Docker does not answer", "start it")] * 3
    said: list[str] = []

    def opened() -> str:
        if faults:
            raise faults.pop(0)
        return "the lab"

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert once_ready(opened, said.append, lambda _: None) == "the lab"
        assert systemd.recv(128) == b"READY=1\nSTATUS=waiting: rules.yaml: is half a file"
        assert systemd.recv(128) == b"WATCHDOG=1"
    assert said == ["waiting: rules.yaml: is half a file; it is tried again", "waiting: Docker does not answer; start it"]


def test_what_no_waiting_mends_is_not_waited_for() -> None:
    def opened() -> str:
        raise UsageFault("no such thing")

    with pytest.raises(UsageFault):
        once_ready(opened, lambda _: None, lambda _: None)


def test_a_switch_that_would_stop_what_is_about_to_start_is_refused_with_the_process_that_starts_it() -> None:
    lease = Lease(service="omni", project="lab", pid=4711, began=1, by="ann", at="2026-01-01T00:00:00+00:00")
    observed = seen().model_copy(update={"containers": (lease.as_container(),), "held": (lease.as_hold(),)})
    found = plan(request("training"), PROJECT, RULES, observed, CAPACITY)
    assert found.refusal is not None
    assert found.refusal.message.startswith("omni is about to start: ann starts it with docker compose up (process 4711) since")
    assert found.refusal.hint == "wait until it is started, or end what starts it: kill 4711"
    assert found.steps == ()
    beside = plan(request("up whisper"), PROJECT, RULES, observed, CAPACITY)
    assert beside.refusal is None
    assert "omni" in (beside.keep or ())


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        ("0::/system.slice/system-spark\\x2dmode\\x2dguard.slice/spark-mode-guard@lab.service\n", "spark-mode-guard@lab.service"),
        ("0::/user.slice/user-1000.slice/session-1.scope\n", ""),
        ("0::/system.slice/ssh.service\n", ""),
        ("", ""),
    ],
)
def test_the_unit_that_runs_a_guard_is_told_by_its_control_group(groups: str, unit: str) -> None:
    assert unit_in(groups) == unit
