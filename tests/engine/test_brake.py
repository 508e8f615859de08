"""`stop` on a real engine: whatever is broken, and whoever starts things again, it stops what it can and starts nothing."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from spark_mode.engine.docker import EngineApi
from spark_mode.engine.doors import StartFailed
from spark_mode.engine.local import local_socket
from tests.deep import deep
from tests.engine.lab import Lab


@contextmanager
def somebody_starts(lab: Lab, service: str) -> Iterator[None]:
    """Have somebody start a container again and again, as soon as it was stopped."""
    name, ended, engine = f"{lab.project}-{service}-1", threading.Event(), EngineApi(local_socket())

    def start() -> None:
        while not ended.is_set():
            with suppress(StartFailed):
                engine.start(name)  # at once: under load a command takes longer to begin than a stop to end

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def started(lab: Lab) -> dict[str, str]:
    """Return when each container of the lab was started last."""
    return {one["service"]: one["started"] for one in lab.containers()}


def test_a_stop_beside_somebody_who_starts_one_service_in_a_loop_stops_the_others_and_starts_nothing(lab: Lab) -> None:
    lab.run("audio", "xtts")
    before = started(lab)
    with somebody_starts(lab, "ollama"):
        stopped = lab.run("stop", expect=1)
    assert f"{lab.project}-ollama-1 still runs" in stopped.err
    assert f"{lab.project}-ollama-1 is started again by others" in stopped.err
    assert f"see by whom: docker events --filter container={lab.project}-ollama-1" in stopped.err
    after = started(lab)
    assert {name for name in before if before[name] != after[name]} == {"ollama"}
    assert set(lab.running()) <= {"ollama"}
    lab.run("stop")
    assert lab.running() == {}


def test_a_stop_goes_on_beside_a_command_that_a_killed_switch_left_behind_and_names_it(lab: Lab) -> None:
    lab.run("audio", "omni")
    command = ["flock", "--shared", str(lab.state_folder / "children.lock"), "sh", "-c", "echo held; read end"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        assert f"still runs: process {orphan.pid}" in lab.run("training", expect=5).err
        assert f"still runs: process {orphan.pid}; it may start something again" in lab.run("stop").err
        assert lab.running() == {}
        orphan.communicate("\n")


def test_a_stop_goes_on_with_a_compose_file_that_is_broken_and_with_broken_rules_in_a_state_folder_that_is_read_only(
    lab: Lab, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can have a folder mounted read-only")
    lab.run("audio", "omni")
    good, broken = lab.files, tmp_path / "broken.yaml"
    broken.write_text("workloads: [\n")
    lab.files = (*good, str(broken))
    lab.run("stop")
    assert lab.running() == {}
    lab.files = good
    lab.run("restore")
    assert set(lab.running()) == {"omni"}, "what was stopped so comes back"

    folder = str(lab.state_folder)
    subprocess.run(["mount", "--bind", folder, folder], check=True, timeout=30)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True, timeout=30)
        lab.run("audio", "xtts", expect=3)
        lab.rules = str(broken)
        stopped = lab.run("stop")
    finally:
        subprocess.run(["umount", folder], check=True, timeout=30)
    assert "Read-only file system" in stopped.err
    assert "broken.yaml" in stopped.err
    assert "what runs is stopped all the same, by its labels" in stopped.err
    assert lab.running() == {}
    lab.run("status", expect=3)


@deep
def test_a_stop_goes_on_without_a_journal_that_can_be_read(lab: Lab) -> None:
    lab.run("audio", "omni")
    (journal,) = lab.state_folder.glob("*.journal")
    journal.unlink()
    journal.mkdir()
    lab.run("audio", "xtts", expect=3)
    stopped = lab.run("stop")
    assert "what runs is stopped all the same" in stopped.err
    assert lab.running() == {}
