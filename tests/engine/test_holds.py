"""Holds, what follows a training, files that change, and the history: through the command, on a real engine."""

import json
import shutil
import signal
import subprocess
import zlib
from pathlib import Path

import psutil

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
    until,
    wait_for_a_word,
)
from tests.engine.witness import Witness


def waits(process: "subprocess.Popen[str]") -> bool:
    """Whether a switch has its files read and waits for the lock: it has that file open, and no children any more."""
    seen = psutil.Process(process.pid)
    return any(one.path.endswith(".lock") for one in seen.open_files()) and not seen.children()


def test_a_held_mode_refuses_other_switches_until_it_is_released(lab: Lab) -> None:
    lab.run("training", "--hold")
    before = lab.containers()
    for arguments in (("audio", "omni"), ("stop",), ("stop", "training"), ("up", "omni", "--yes"), ("training:large",)):
        refused = lab.run(*arguments, expect=4)
        assert "training is held: root holds training since " in refused.err
        assert "spark-mode release" in refused.err
    assert lab.containers() == before
    status = lab.run("status").out
    assert "held    root holds training since" in status
    assert "training is no longer held (by root since" in lab.run("release").out
    assert "nothing is held" in lab.run("release").out
    lab.run("audio", "omni")
    assert set(lab.running()) == {"omni"}


def test_every_verb_that_reads_a_journal_of_a_newer_release_says_so(lab: Lab) -> None:
    lab.run("training", "--hold")
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


def test_a_hold_ends_with_its_containers(lab: Lab) -> None:
    lab.run("training", "--hold")
    docker("stop", lab.running()["training"][0])
    lab.run("audio", "omni")
    assert set(lab.running()) == {"omni"}


def test_what_ran_before_comes_back_when_training_ends_whatever_its_exit_code(lab: Lab) -> None:
    lab.run("audio", "omni")
    with Witness(lab.project) as witness:
        for end in ("stop", "kill"):
            following = lab.spawn("training", "--then", "restore")
            followed(following)
            docker(end, lab.running()["training"][0])
            done = ends(following)
            assert done.code == 0, done
            assert "audio omni runs again (" in done.out
            assert set(lab.running()) == {"omni"}
    witness.require(audio_starts=2, training_starts=2)


def followed(process: "subprocess.Popen[str]") -> None:
    """Wait until a switch is done, and its training is followed."""
    assert process.stdout is not None
    while "when it ends, what ran before comes back" not in (line := process.stdout.readline()):
        assert line, "it ended"


def test_what_follows_a_training_gives_way_to_another_switch(lab: Lab) -> None:
    lab.run("audio", "omni")
    following = lab.spawn("training", "--then", "restore")
    followed(following)
    lab.run("up", "whisper", "--yes", "--wait=60")
    end = ends(following)
    assert end.code == 4, end
    assert "another switch came after it" in end.out
    assert set(lab.running()) == {"whisper"}


def test_an_interrupt_while_a_training_is_followed_leaves_it_running_and_says_so(lab: Lab) -> None:
    lab.run("audio", "omni")
    following = lab.spawn("training", "--then", "restore")
    followed(following)
    interrupt(following)
    end = ends(following)
    assert end.code == 130, end
    assert "training goes on" in end.out
    assert set(lab.running()) == {"training"}


def test_a_compose_file_that_changes_while_a_switch_waits_is_noticed_and_the_plan_made_again(lab: Lab, tmp_path: Path) -> None:
    extra = tmp_path / "extra.yaml"
    extra.write_text("services: {omni: {labels: {revision: '1'}}}\n")
    lab.files = (*lab.files, str(extra))
    wait_for_a_word(lab, tmp_path, "whisper")
    lab.run("training")
    first = lab.spawn("up", "whisper", "--yes")
    until(lambda: "whisper" in lab.running())
    second = lab.spawn("audio", "omni", "--wait=60")
    until(lambda: waits(second))
    extra.write_text("services: {omni: {labels: {revision: '2'}}}\n")
    give_the_word(lab, "whisper")
    assert ends(first).code == 0
    end = ends(second)
    assert end.code == 0, end
    (made,) = [one["id"] for one in lab.containers() if one["service"] == "omni"]
    assert docker("inspect", "--format", "{{.Config.Labels.revision}}", made).strip() == "2"


def test_rules_that_change_while_a_switch_waits_decide(lab: Lab, tmp_path: Path) -> None:
    rules = tmp_path / "own.rules.yaml"
    shutil.copy(ROOT / "compose/stand-in.rules.yaml", rules)
    text = rules.read_text().replace("extends: ../rules.yaml", f"extends: {ROOT}/rules.yaml")
    rules.write_text(text)
    lab.rules = str(rules)
    wait_for_a_word(lab, tmp_path, "whisper")
    lab.run("training")
    first = lab.spawn("up", "whisper", "--yes")
    until(lambda: "whisper" in lab.running())
    second = lab.spawn("up", "xtts", "--wait=60")
    until(lambda: waits(second))
    rules.write_text(text + "\nmodes: {}\nworkloads: {}\n")
    give_the_word(lab, "whisper")
    assert ends(first).code == 0
    end = ends(second)
    assert end.code == 3, end
    assert set(lab.running()) == {"whisper"}


def test_the_history_says_what_was_asked_by_whom_and_how_it_ended(lab: Lab, tmp_path: Path) -> None:
    wait_for_a_word(lab, tmp_path, "training")
    lab.run("audio", "omni")
    lab.run("audio", "omni")
    lab.run("up", "xtts", "omni", expect=4)
    lab.run("training", expect=1, TRAINING_FAULT="crash-at-start")
    process = lab.spawn("training")
    until(lambda: "training" in lab.running())
    interrupt(process)
    ends(process)
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


def test_a_hang_up_ends_in_the_former_mode_as_an_interrupt_does(lab: Lab) -> None:
    lab.run("audio", "omni")
    for number in (signal.SIGHUP, signal.SIGTERM):
        process = lab.spawn("training", TRAINING_LOAD="20")
        until(lambda: "training" in lab.running())
        process.send_signal(number)
        end = ends(process)
        assert end.code == 130, end
        assert set(lab.running()) == {"omni"}
    assert [one["outcome"] for one in lab.run("history", "--format", "json").json][1:] == ["interrupted"] * 2


def test_somebody_who_starts_the_other_side_during_a_switch_is_seen_before_the_start(lab: Lab) -> None:
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    lab.compose("create", "xtts")
    process = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    (by_hand,) = [one["id"] for one in lab.containers() if one["service"] == "xtts"]
    docker("start", by_hand)
    docker("kill", omni)
    end = ends(process)
    assert end.code in (1, 7), end
    assert "xtts became active meanwhile" in end.out
    assert "training" not in lab.running()
    assert set(lab.running()) == {"omni"}, "what came later goes, as the guard has it, and what ran before comes back"
