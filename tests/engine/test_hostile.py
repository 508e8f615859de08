"""Files and terminals that are not what they should be: a clear error, never a hang, a traceback, or half a switch."""

import errno
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from spark_mode.engine import questions
from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.engine.local import local_socket
from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.lab.files import LabFiles
from spark_mode.plain_file import fault, read_plain
from tests.deep import DEEP, deep
from tests.engine.lab import DEADLINE, ROOT, Lab, docker, ends, until

pytestmark = pytest.mark.xdist_group("hostile")  # whose tests share a lab


@pytest.fixture
def lab(standing: Lab) -> Lab:
    return standing


def outcomes(lab: Lab) -> list[str]:
    """Return how each switch so far has ended."""
    return [one["outcome"] for one in lab.run("history", "--format", "json").json]


@pytest.mark.parametrize("streams", [pytest.param("stdout", marks=deep), pytest.param("stderr", marks=deep), "both"])
def test_a_switch_that_cannot_say_so_is_done_all_the_same(lab: Lab, streams: str) -> None:
    closing = {"stdout": ">&-", "stderr": "2>&-", "both": ">&- 2>&-"}[streams]
    command = " ".join([*(f"'{one}'" for one in lab.arguments("training:large", "--yes")), closing])
    done = subprocess.run(["sh", "-c", command], check=False, cwd=lab.folder, env=lab.environment, timeout=DEADLINE)
    assert done.returncode == 0
    assert set(lab.running()) == {"training"}


def test_a_full_disk_behind_the_output_is_no_traceback(lab: Lab) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            lab.arguments("status"),
            check=False,
            cwd=lab.folder,
            env=lab.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_compose_that_never_answers_is_given_up_with_everything_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "READ_SECONDS", 2.0)
    os.mkfifo(tmp_path / "pipe")
    file = tmp_path / "compose.yaml"
    file.write_text("include: [pipe]\nservices: {one: {image: x}}\n")
    with pytest.raises(EngineUnavailable, match="did not answer within 2 s"):  # nobody ever writes into the pipe
        ComposeFiles(LabFiles(compose=(str(file),), rules=""), local_socket()).read()
    left = subprocess.run(["pgrep", "-f", str(file)], check=False, capture_output=True, text=True).stdout.split()
    assert left == []


def test_what_is_no_plain_file_is_read_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    for name in ("pipe", "link", "large", "."):
        with pytest.raises(OSError, match=r"regular|large|directory"):
            read_plain(tmp_path / name)
    (tmp_path / "good").write_bytes(b"x")
    (tmp_path / "to-good").symlink_to("good")
    assert read_plain(tmp_path / "to-good") == b"x"
    with pytest.raises(OSError, match="symbolic"):
        read_plain(tmp_path / "to-good", follow=False)


def test_what_lies_in_the_place_of_a_file_is_named_with_what_moves_it_away(tmp_path: Path) -> None:
    places: dict[str, Callable[[Path], object]] = {
        "a directory": Path.mkdir,
        "a pipe": os.mkfifo,
        "a link": lambda path: path.symlink_to("nowhere"),
        "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    }
    for kind, put in places.items():
        path = tmp_path / f"{kind}'s place"
        put(path)
        said, fix = fault(path, OSError(errno.EINVAL, "unusable"), "make room")
        assert said == f"{path} is {kind} and no file"
        subprocess.run(["sh", "-c", fix.removeprefix("move it away: ")], check=True)
        assert not os.path.lexists(path)
        assert fault(path, OSError(errno.ENOSPC, "full"), "make room") == (f"{path}: full", "make room")
        path.write_text("a file")
        assert fault(path, OSError(errno.ENOSPC, "full"), "make room") == (f"{path}: full", "make room")


@pytest.mark.parametrize("kind", ["pipe", "zero", "long"])
def test_rules_that_are_no_plain_file_are_refused(lab: Lab, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rules.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    lab.rules = str(path) if kind != "long" else "x" * 5000
    refused = lab.run("plan", "training", expect=3)
    assert "name the rules file with --rules" in refused.err


STATE = ("*.lock", "*.journal", "compose-*.json", "*.measured.jsonl", "*.leases.json", "*.variants.json")
IN_ITS_PLACE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": Path.mkdir,
    "a link": lambda path: path.symlink_to("/etc/hostname"),
    "something else": lambda path: path.write_text("[" * 100_000),
}


@pytest.mark.parametrize(
    "kind", ["a pipe", "something else", pytest.param("a directory", marks=deep), pytest.param("a link", marks=deep)]
)
def test_state_that_is_not_what_was_written_holds_nothing_up_and_the_way_out_is_said(lab: Lab, kind: str) -> None:
    lab.has("training:large")
    (journal,) = lab.state_folder.glob("*.journal")
    journal.with_suffix(".leases.json").write_text("[]")
    (lab.state_folder / f"{lab.project}.variants.json").write_text("{}")
    for path in [path for pattern in STATE for path in lab.state_folder.glob(pattern)]:
        good, kept = path.read_bytes(), path.with_name(f"{path.name}.old")
        path.unlink()
        IN_ITS_PLACE[kind](path)
        for command in (("status",), ("training:large",)):
            outcome = lab.run(*command, expect=None)
            assert outcome.code in (0, 3), path
            if outcome.code == 3 and kind != "something else":
                assert f"{path} is {kind}" in outcome.err
                assert f"mv {path} {kept}" in outcome.err
        path.rmdir() if kind == "a directory" else path.unlink(missing_ok=True)
        path.write_bytes(good)
    assert set(lab.running()) == {"training"}


STRANGE: tuple[dict[str, object], ...] = ({"project": {"name": []}}, {"version": -1}, {"project": None}, {"version": None})


def test_an_answer_of_compose_that_was_kept_and_is_not_what_was_kept_is_asked_for_again(lab: Lab) -> None:
    lab.run("plan", "training")
    (kept,) = lab.state_folder.glob("compose-*.json")
    good = json.loads(kept.read_bytes())
    for strange in STRANGE if DEEP else STRANGE[:2]:
        kept.write_text(json.dumps(good | strange))
        lab.run("plan", "training")
        assert json.loads(kept.read_bytes()) == good, strange


@pytest.mark.parametrize(
    "pattern", ["*.journal", pytest.param("switch.lock", marks=deep), pytest.param("*.leases.json", marks=deep)]
)
def test_what_lies_in_the_place_of_state_can_be_moved_away_as_is_said(lab: Lab, pattern: str) -> None:
    lab.has("training:large")
    (journal,) = lab.state_folder.glob("*.journal")
    journal.with_suffix(".leases.json").write_text("[]")
    (path,) = lab.state_folder.glob(pattern)
    path.unlink()
    path.mkdir()
    refused = lab.run("audio", "omni", "--yes", expect=3)
    (hint,) = [line.partition("mv ")[2] for line in refused.err.splitlines() if "mv " in line]
    subprocess.run(["mv", *shlex.split(hint)], check=True)
    lab.run("audio", "omni", "--yes")
    assert set(lab.running()) == {"omni"}


def test_what_follows_a_training_survives_a_hang_up_under_nohup(lab: Lab) -> None:
    lab.has("audio", "omni")
    before = outcomes(lab)
    command = ["nohup", *lab.arguments("training", "--yes", "--then", "restore")]
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=lab.folder, env=lab.environment, stdin=nothing, stdout=nothing, stderr=nothing) as process:
        until(lambda: outcomes(lab) == [*before, "applied"])
        process.send_signal(signal.SIGHUP)
        docker("stop", lab.running()["training"][0])
        assert process.wait(DEADLINE) == 0
    assert set(lab.running()) == {"omni"}


def test_a_second_signal_leaves_what_follows_a_training_without_a_traceback(lab: Lab) -> None:
    lab.has("audio", "omni")
    process = lab.spawn("training", "--then", "restore")
    until(lambda: "training" in lab.running() and lab.run("status", "--format", "json").json["switching"] is None)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    assert ends(process).code == 130


def test_a_reader_that_goes_away_does_not_end_a_switch(lab: Lab) -> None:
    lab.has("training")
    with lab.spawn("audio", "omni", "--yes") as switch:
        assert switch.stdout is not None
        while "stop" not in (line := switch.stdout.readline()):
            assert line, "it ended"
        switch.stdout.close()
        assert switch.wait(DEADLINE) == 0
    assert set(lab.running()) == {"omni"}
    assert lab.run("status", "--format", "json").json["interrupted"] is None


def test_a_terminal_that_is_closed_brings_back_what_ran_before(lab: Lab) -> None:
    lab.has("audio", "omni")
    ours, theirs = os.openpty()
    switch = subprocess.Popen(
        ["env", "--default-signal=INT,HUP", *lab.arguments("training", "--yes")],
        cwd=lab.folder,
        env=lab.environment | {"TRAINING_LOAD": "20", "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    until(lambda: "training" in lab.running())
    os.close(ours)
    switch.send_signal(signal.SIGHUP)
    assert switch.wait(DEADLINE) == 130
    assert set(lab.running()) == {"omni"}
    assert lab.run("status", "--format", "json").json["interrupted"] is None


def loads(pid: int, module: str) -> None:
    """Wait until a process loads a module."""
    until(lambda: module in Path(f"/proc/{pid}/maps").read_text(), pause=0.001)


def test_ctrl_c_while_modules_are_loaded_ends_it_plainly(lab: Lab) -> None:
    lab.forked = False
    for module in ("pydantic_core", "_yaml"):
        process = lab.spawn("training")
        loads(process.pid, module)
        process.send_signal(signal.SIGINT)
        end = ends(process)
        assert end.code == 130, end
        assert "interrupted" in end.out
        assert "training" not in lab.running()


def test_a_working_directory_that_is_gone_is_said(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = f"cd {tmp_path}/gone && rmdir {tmp_path}/gone && '{sys.executable}' -m spark_mode.cli status"
    done = subprocess.run(
        ["sh", "-c", command], check=False, env=lab.environment, capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 3
    assert "the working directory is gone" in done.stderr


def test_rules_in_utf_8_are_read_in_any_locale(lab: Lab) -> None:
    assert not (ROOT / "rules.yaml").read_text(encoding="utf-8").isascii()
    lab.run("plan", "training", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")


@pytest.mark.parametrize("contents", [b"\xff\xfe", b"a\x00b", b"x" * 6000])
def test_a_lab_setting_that_is_no_path_is_said(lab: Lab, tmp_path: Path, contents: bytes) -> None:
    lab.environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    setting = tmp_path / "config" / "spark-mode" / "lab"
    setting.parent.mkdir(parents=True)
    setting.write_bytes(contents)
    lab.folder, lab.files, lab.rules = tmp_path, (), None
    assert "set it anew: spark-mode lab DIR" in lab.run("status", expect=3).err


def test_a_docker_configuration_that_is_a_pipe_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "config.json")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert local_socket() == "/var/run/docker.sock"


@pytest.mark.parametrize(
    "meta", ["[]", "1", "null", '{"Endpoints": []}', '{"Endpoints": {"docker": 1}}', "[" * 100_000], ids=range(6)
)
def test_a_context_of_docker_that_is_not_what_docker_writes_names_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meta: str
) -> None:
    described = tmp_path / "contexts/meta" / sha256(b"lab").hexdigest() / "meta.json"
    described.parent.mkdir(parents=True)
    described.write_text(meta)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "lab")
    assert local_socket() == "/var/run/docker.sock"
    monkeypatch.delenv("DOCKER_CONTEXT")
    (tmp_path / "config.json").write_text(meta)
    assert local_socket() == "/var/run/docker.sock"


def test_a_file_of_leases_that_is_a_pipe_is_an_error(tmp_path: Path) -> None:
    from spark_mode.sharing.leases import Leases  # beside the command line tests above

    os.mkfifo(tmp_path / "leases.json")
    with pytest.raises(ConfigurationError, match="is a pipe and no file"):
        Leases(tmp_path / "leases.json").live()
