"""Holds, what follows a training, files that change, and the history: through the command, on a real engine."""

import fcntl
import json
import signal
import subprocess
import zlib
from pathlib import Path

import psutil

from tests.deep import DEEP, deep
from tests.engine.lab import (
    LONG,
    ROOT,
    SLOW_STOP,
    Lab,
    asked_to_stop,
    docker,
    ends,
    give_the_word,
    interrupt,
    said,
    until,
    wait_for_a_word,
)
from tests.engine.witness import Witness

ENDS = ("kill", "stop") if DEEP else ("kill",)
"""How a training ends that what ran before comes back after: whatever its exit code."""


def waits(process: "subprocess.Popen[str]") -> bool:
    """Whether a switch has its files read and waits for the lock: it has that file open, and no children any more."""
    seen = psutil.Process(process.pid)
    return any(one.path.endswith(".lock") for one in seen.open_files()) and not seen.children()


def test_a_held_mode_refuses_other_switches_until_it_is_released_and_then_nothing_stops_a_training_unasked(lab: Lab) -> None:
    lab.run("training", "--hold")
    before = lab.containers()
    for arguments in (("audio", "omni"), ("stop",), ("up", "omni", "--yes"), ("training:large",)):
        refused = lab.run(*arguments, expect=4)
        assert "training is held: root holds training since " in refused.err
        assert "spark-mode release" in refused.err
    assert "held    root holds training since" in lab.run("status").out
    assert "training is no longer held (by root since" in lab.run("release").out
    assert "nothing is held" in lab.run("release").out
    assert "add --yes" in lab.run("up", "omni", expect=4).err
    assert lab.containers() == before
    lab.run("up", "omni", "--yes")
    assert set(lab.running()) == {"omni"}


def test_every_verb_that_reads_a_journal_of_a_newer_release_says_so(lab: Lab) -> None:
    lab.run("up", "xtts", "omni", expect=4)
    (journal,) = lab.state_folder.glob("*.journal")
    newer = json.dumps({"kind": "held", "version": 2, "holds": []}).encode()
    with journal.open("ab") as file:
        file.write(f"{zlib.crc32(newer):08x} ".encode() + newer + b"\n")
    written = journal.read_bytes()
    for verb in (("release",), ("restore",), ("audio", "omni", "--hold"), ("stop", "training"), ("plan", "training")):
        assert "1 record that this release does not understand" in lab.run(*verb, expect=7).err
    for verb in (("history",), ("map",), ("calibrate",)):
        assert "1 record that this release does not understand" in lab.run(*verb).err
    assert "1 record that this release does not understand" in lab.run("status", "--format", "json").json["interrupted"]
    assert journal.read_bytes() == written
    lab.run("recover")
    lab.run("release")


@deep
def test_a_hold_ends_with_its_containers(lab: Lab) -> None:
    lab.run("training", "--hold")
    docker("stop", lab.running()["training"][0])
    lab.run("audio", "omni")
    assert set(lab.running()) == {"omni"}


def test_what_ran_before_comes_back_when_training_ends_and_an_interrupt_of_who_waits_for_that_leaves_it_running(lab: Lab) -> None:
    lab.run("audio", "omni")
    with Witness(lab.project) as witness:
        for end in ENDS:
            following = lab.spawn("training", "--then", "restore")
            followed(following)
            docker(end, lab.running()["training"][0])
            done = ends(following)
            assert done.code == 0, done
            assert "audio omni runs again (" in done.out
            assert set(lab.running()) == {"omni"}
    witness.require(audio_starts=len(ENDS), training_starts=len(ENDS))

    following = lab.spawn("training", "--then", "restore")
    followed(following)
    interrupt(following)
    done = ends(following)
    assert done.code == 130, done
    assert "training goes on" in done.out
    assert set(lab.running()) == {"training"}


def followed(process: "subprocess.Popen[str]") -> None:
    """Wait until a switch is done, and its training is followed."""
    said(process, "when it ends, what ran before comes back")


@deep
def test_what_follows_a_training_gives_way_to_another_switch(lab: Lab) -> None:
    lab.run("audio", "omni")
    following = lab.spawn("training", "--then", "restore")
    followed(following)
    lab.run("up", "whisper", "--yes", "--wait=60")
    end = ends(following)
    assert end.code == 4, end
    assert "another switch came after it" in end.out
    assert set(lab.running()) == {"whisper"}


def test_a_switch_that_waits_goes_on_when_the_other_is_done_by_the_compose_file_and_the_rules_of_then(
    lab: Lab, tmp_path: Path
) -> None:
    extra, rules = tmp_path / "extra.yaml", tmp_path / "own.rules.yaml"
    extra.write_text("services: {omni: {labels: {revision: '1'}}}\n")
    text = (ROOT / "compose/stand-in.rules.yaml").read_text().replace("extends: ../rules.yaml", f"extends: {ROOT}/rules.yaml")
    rules.write_text(text)
    lab.files, lab.rules = (*lab.files, str(extra)), str(rules)
    wait_for_a_word(lab, tmp_path, "whisper")
    first = lab.spawn("up", "whisper", "--yes")
    until(lambda: "whisper" in lab.running())
    second = lab.spawn("audio", "omni", "--wait=60")
    until(lambda: waits(second))
    extra.write_text("services: {omni: {labels: {revision: '2'}}}\n")
    give_the_word(lab, "whisper")
    assert ends(first).code == 0
    end = ends(second)
    assert end.code == 0, end
    assert "omni" in (before := lab.running())
    assert docker("inspect", "--format", "{{.Config.Labels.revision}}", lab.id_of("omni")).strip() == "2"

    with (lab.state_folder / "switch.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        third = lab.spawn("up", "xtts", "--wait=60")
        until(lambda: waits(third))
        rules.write_text(text + "\nmodes: {}\nworkloads: {}\n")
    end = ends(third)
    assert end.code == 3, end
    assert lab.running() == before


def test_what_fails_is_interrupted_and_not_held_up_by_ctrl_z_or_cut_off_is_in_the_history_with_who_asked(
    lab: Lab, tmp_path: Path
) -> None:
    wait_for_a_word(lab, tmp_path, "training")
    lab.run("audio", "omni")
    lab.run("audio", "omni")
    lab.run("up", "xtts", "omni", expect=4)
    failed = lab.run("training", expect=1, TRAINING_FAULT="crash-at-start")
    assert "exit code" in failed.err or "exited with code" in failed.err
    assert "log:" in failed.err
    assert set(lab.running()) == {"omni"}
    assert lab.run("status", "--format", "json").json["mode"] == "audio omni"
    process = lab.spawn("training")
    until(lambda: "training" in lab.running())
    process.send_signal(signal.SIGTSTP)
    assert "a switch is not held up in the middle" in said(process, "held up")
    interrupt(process)
    end = ends(process)
    assert end.code == 130, end
    assert "What ran before runs again: omni" in end.out
    assert set(lab.running()) == {"omni"}
    process = lab.spawn("training")
    until(lambda: "training" in lab.running())
    process.kill()
    process.communicate()
    events = lab.run("history", "--format", "json").json
    assert [(one["request"], one["outcome"]) for one in events] == [
        ("audio omni", "applied"),
        ("audio omni", "unchanged"),
        ("up xtts omni", "refused"),
        ("training", "rolled-back"),
        ("training", "interrupted"),
        ("training", "interrupted"),
    ]
    assert all(one["at"].startswith("20") and one["by"] == "root" for one in events)
    assert [one["seconds"] is None for one in events] == [False] * 5 + [True]
    text = lab.run("status").out
    assert "CUT OFF: training, by root" in text
    assert "spark-mode recover" in text
    assert "was cut off" in lab.run("plan", "audio", "omni").out
    assert "was cut off" in lab.run("map").err
    assert lab.run("check", "--format", "json", expect=3).json
    give_the_word(lab, "training")
    lab.run("recover")
    assert lab.run("history", "--format", "json").json[-1]["outcome"] == "recovered"
    assert "nothing to do: no switch was cut off" in lab.run("recover").out


def test_somebody_who_starts_the_other_side_during_a_switch_is_seen_before_the_start(lab: Lab) -> None:
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    process = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    lab.compose("up", "--detach", "--no-deps", "xtts")
    docker("kill", omni)
    end = ends(process)
    assert end.code in (1, 7), end
    assert "xtts became active meanwhile" in end.out
    assert "training" not in lab.running()
    assert set(lab.running()) == {"omni"}, "what came later goes, as the guard has it, and what ran before comes back"
