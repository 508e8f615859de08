"""Memory that is really measured, on a real engine; the limits come from what this machine has free as a test begins."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tests.deep import deep
from tests.engine.hog import Hog, clear_shared_memory, fill_shared_memory
from tests.engine.lab import (
    LONG,
    ROOT,
    RULES,
    SLOW_STOP,
    Lab,
    Outcome,
    asked_to_stop,
    docker,
    ends,
    give_the_word,
    state,
    until,
    wait_for_a_word,
)

pytestmark = pytest.mark.alone

MB = 10**6
SCALE = 16
OMNI, TRAINING = 500 * MB, 750 * MB
TAKEN = 2000 * MB  # by somebody else; a virtual machine may give freed pages back late, by hundreds of MB
CAPACITY = 10**6 * MB


@pytest.fixture(autouse=True)
def shared_memory_is_given_back() -> Iterator[None]:
    yield
    clear_shared_memory()


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """A lab whose stand-ins hold a sixteenth of what the models hold."""
    del lab.environment["STAND_IN_MEMORY"]
    return lab


def available() -> int:
    """Return what is free, once it no longer moves: pages that were just freed may take a moment to be counted."""
    last = 0
    for _ in range(50):
        now: int = psutil.virtual_memory().available
        if abs(now - last) < 5 * MB:
            return now
        last = now
        time.sleep(0.2)
    return last


def limit(lab: Lab, folder: Path, headroom: int, floor: int, patience: float, **footprints: str) -> None:
    """Give the lab rules whose headroom and floor are these bytes, so that only what is measured decides.

    `footprints` are what services are planned with in place of what rules.yaml says, and their priority.
    """
    rules, base = folder / "limited.rules.yaml", folder / "base.rules.yaml"
    text = (ROOT / "rules.yaml").read_text()
    for service, footprint in footprints.items():
        said = f"footprint: {footprint}, service: {service}"
        text, count = re.subn(rf"footprint: [^\n]*, service: {service}, priority: 50", said, text)
        assert count == 1
    base.write_text(text)
    scaled = {"fits_easily": CAPACITY, "fits": CAPACITY, "tight": CAPACITY, "headroom": headroom, "floor": floor}
    lines = [f"  {name}: {size * SCALE / MB:.0f}MB" for name, size in scaled.items()]
    capacity = f"{CAPACITY * SCALE * 2 // MB}MB"
    own = ["limits:", *lines, f"  release_seconds: {patience}", "hardware:", "  name: limited", f"  capacity: {capacity}"]
    rules.write_text("\n".join([f"extends: {base}", f"scale: 1/{SCALE}", *own, ""]))
    lab.rules = str(rules)


def holder(lab: Lab) -> str:
    locks = (Path(lab.environment["XDG_STATE_HOME"]) / "spark-mode").glob("*.lock")
    return " ".join(lock.read_text() for lock in locks)


def test_memory_that_stays_held_or_that_somebody_takes_between_stop_and_start_is_named_and_starts_nothing_but_the_old_mode(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    free = available()
    limit(lab, tmp_path, headroom=free - TRAINING - 500 * MB, floor=free - 3500 * MB, patience=3)
    switch = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    fill_shared_memory(TAKEN // 2)
    with Hog(TAKEN // 2) as hog:
        docker("kill", omni)
        end = ends(switch)
        pid = hog.pid
    assert end.code == 1, end
    assert "Nothing was started" in end.out
    assert "(files in shared memory) 1.0 GB" in end.out
    assert re.search(rf"process {pid} of \S+\) 1\.0 GB", end.out), end.out
    assert "What ran before runs again: omni" in end.out
    assert set(lab.running()) == {"omni"}
    assert state(lab)["training"] == "created"


@deep
def test_a_release_that_comes_late_is_waited_for(lab: Lab, tmp_path: Path) -> None:
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    free = available()
    limit(lab, tmp_path, headroom=free - TRAINING - 500 * MB, floor=free - 3500 * MB, patience=60)
    switch = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    with Hog(TAKEN):
        docker("kill", omni)
        until(lambda: "wait for memory" in holder(lab))
        time.sleep(3)  # the lateness that is tried
        assert state(lab)["training"] == "created"
    end = ends(switch)
    assert end.code == 0, end
    assert set(lab.running()) == {"training"}


def test_a_start_that_eats_through_the_floor_is_aborted_in_time(lab: Lab, tmp_path: Path) -> None:
    lab.run("training")
    free = available()
    floor = free - 2500 * MB  # much may be missing for a while: a virtual machine gives freed pages back late
    limit(lab, tmp_path, headroom=floor + 100 * MB, floor=floor, patience=20)
    lowest = free
    watching = True

    def watch() -> None:
        nonlocal lowest
        while watching:
            lowest = min(lowest, psutil.virtual_memory().available)
            time.sleep(0.01)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    failed = lab.run("audio", "omni", expect=1, OMNI_FAULT="needs=6000MB", OMNI_LOAD="6", OMNI_ASKED="2s")
    watching = False
    watcher.join()
    assert "under the floor" in failed.err
    assert lowest > free - 5500 * MB
    assert set(lab.running()) == {"training"}


@deep
def test_a_way_back_that_no_longer_fits_is_not_tried_and_is_reported(lab: Lab, tmp_path: Path) -> None:
    lab.run("training", TRAINING_FAULT=SLOW_STOP, TRAINING_GRACE=LONG)
    free = available()
    limit(lab, tmp_path, headroom=free - OMNI - 1000 * MB, floor=free - 2000 * MB, patience=2)
    switch = lab.spawn("audio", "omni")
    training = asked_to_stop(lab, "training")
    with Hog(3000 * MB):
        docker("kill", training)
        end = ends(switch)
        assert end.code == 7, end
        assert "The way back failed at: wait for memory" in end.out
        assert "spark-mode recover" in end.out
        assert lab.running() == {}
    lab.run("restore")
    assert set(lab.running()) == {"training"}


def test_too_little_memory_is_refused_before_anything_stops_and_names_who_has_it_and_the_page_cache_is_dropped_on_request_alone(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("audio", "omni")
    name = "spark-mode-test-notebook"
    options = ["--detach", "--rm", "--shm-size", "2g", "--name", name, "-e", "STAND_IN_MEMORY=1500MB", "-e", "STAND_IN_LOAD=0"]
    subprocess.run(["docker", "run", *options, "audio-lab-stand-in:latest", "omni"], check=True, capture_output=True)
    try:
        until(lambda: "is ready" in docker("logs", name))
        free = available()  # and much may come back yet
        limit(lab, tmp_path, headroom=free + 1500 * MB, floor=free - 3000 * MB, patience=3)
        before = lab.containers()
        refused = lab.run("training", expect=4)
        assert f"{name} (container) 1.5 GB" in refused.err
        assert lab.containers() == before
        holders = {one["name"]: one for one in lab.run("status", "--format", "json").json["holders"]}
        assert 1.4 < holders[name]["size_gb"] < 1.7
        assert name in lab.run("status").out
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)
    lab.rules = RULES  # whose limits it is far from
    steps = lab.run("plan", "training", "--drop-caches", "--format", "json").json["steps"]
    assert [one["action"] for one in steps] == ["create", "stop", "drop-caches", "await-release", "start", "verify"]
    assert "drop-caches" not in lab.run("plan", "training").out
    lab.run("training", "--drop-caches")
    assert set(lab.running()) == {"training"}


def test_calibrate_tells_what_the_stand_ins_hold_and_check_a_wrong_declaration_and_status_a_service_that_grows(lab: Lab) -> None:
    lab.environment["OMNI_FAULT"] = "needs=900MB"

    def measured_enough() -> bool:
        lab.run("audio", "omni")
        lab.run("training")
        return all(one["count"] >= 2 and one["agrees"] for one in lab.run("calibrate", "--format", "json").json)

    until(measured_enough)  # a start during which others' memory moves does not count
    seen = {one["workload"]: one for one in lab.run("calibrate", "--format", "json").json}
    for name, held in (("omni", 900 * MB), ("training", TRAINING)):
        assert abs(seen[name]["median_gb"] * 10**9 - held) <= max(held / 10, 50 * MB), seen
    table = lab.run("calibrate").out
    assert re.search(r"omni: \{footprint: (\{planned: )?0\.9", table), table  # a bare size where all starts took the same
    service = lab.run("status", "--format", "json").json["services"][0]
    assert service["service"] == "training"
    assert service["measured_gb"] is None or abs(service["measured_gb"] * 10**9 - TRAINING) <= TRAINING / 10
    assert abs(service["grown_gb"]) < 0.02

    lab.environment["OMNI_FAULT"] = "needs=900MB,grows=100MB"

    def far() -> bool:
        lab.run("stop")
        lab.run("audio", "omni")
        until(lambda: grown(lab.run("status", "--format", "json")) > 0.1, pause=0.5)
        return "0.5 GB are declared, and it took " in lab.run("check", expect=None).out

    until(far)
    until(lambda: "holds" in lab.run("status").out, pause=0.5)


def test_a_start_during_which_somebody_else_takes_memory_does_not_count(lab: Lab, tmp_path: Path) -> None:
    wait_for_a_word(lab, tmp_path, "omni")
    switch = lab.spawn("audio", "omni")
    until(lambda: "start omni" in holder(lab) and "omni" in lab.running())
    with Hog(TAKEN // 3):
        give_the_word(lab, "omni")
        assert ends(switch).code == 0
    (omni,) = lab.run("calibrate", "--format", "json").json
    assert (omni["count"], omni["disturbed"], omni["agrees"]) == (0, 1, False)
    table = lab.run("calibrate").out
    assert "omni: no start counts yet: switch to it again" in table
    assert "because others' memory moved meanwhile: omni 1" in table
    assert lab.run("status", "--format", "json").json["services"][0]["measured_gb"] is None


def grown(outcome: Outcome) -> float:
    """Return by how much omni has grown, GB."""
    found: float = next(one["grown_gb"] for one in outcome.json["services"] if one["service"] == "omni")
    return found


def test_under_memory_pressure_the_guard_stops_the_lowest_priority_first_and_before_the_floor_and_says_why(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("audio", "omni", "--with", "whisper", OMNI_FAULT="grows=200MB")
    free = available()
    floor = free - 3000 * MB
    limit(lab, tmp_path, free - 300 * MB, floor, 60, omni="3GB, priority: 50", whisper="3GB, priority: 40")
    guard, lowest = lab.spawn("guard"), free
    deadline = time.monotonic() + 90
    while lab.running():
        assert time.monotonic() < deadline, lab.run("history").out
        for _ in range(10):
            lowest = min(lowest, psutil.virtual_memory().available)
            time.sleep(0.1)
    guard.terminate()
    said = ends(guard)
    stops = [one for one in lab.run("history", "--format", "json").json if one["by"] == "guard"]
    assert [(one["request"], one["outcome"]) for one in stops] == [("stop whisper", "enforced"), ("stop omni", "enforced")]
    assert "of memory were left and it went on towards the floor" in stops[0]["note"]
    assert "it frees 0.2 GB, at priority 40" in said.out
    assert lowest > floor, "the floor was crossed first"


@deep
def test_a_release_that_comes_10_seconds_late_under_the_guard_costs_one_victim(lab: Lab, tmp_path: Path) -> None:
    lab.run("audio", "omni", "--with", "whisper", WHISPER_FAULT="needs=1MB")
    fill_shared_memory(4000 * MB)  # whisper's memory: what lies there stays when whisper has gone
    free = available()  # others may take some of it meanwhile, fast, or give some back
    limit(lab, tmp_path, free + 4000 * MB, free + 1500 * MB, 60, whisper="64GB, priority: 50")
    guard = lab.spawn("guard")
    try:
        until(lambda: set(lab.running()) == {"omni"})
        time.sleep(10)  # the lateness that is tried
    finally:
        clear_shared_memory()
    until(lambda: available() > free + 1500 * MB)
    time.sleep(5)  # the guard has had time for another one
    guard.terminate()
    ends(guard)
    stops = [one["request"] for one in lab.run("history", "--format", "json").json if one["by"] == "guard"]
    assert stops == ["stop whisper"]
    assert set(lab.running()) == {"omni"}
