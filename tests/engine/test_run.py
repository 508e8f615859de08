"""`run`: a plain command trains, audio makes way and comes back, whoever is killed and whenever, on a real engine.

`make test-deep` kills in 60 ways. When the command was active says its own diary, which it writes all the time.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.deep import DEEP
from tests.engine.guarding import Guarding
from tests.engine.lab import Lab, ends, start_by_hand, until
from tests.engine.witness import Witness

TRAINS = """
import os, sys, time
with open(sys.argv[1], "a") as diary:
    ends = time.time() + float(sys.argv[2])
    while time.time() < ends and not os.path.exists(f"{sys.argv[1]}.ends"):
        diary.write(f"{time.time_ns()}\\n")
        diary.flush()
        time.sleep(0.005)
os._exit(int(sys.argv[3]))
"""
LATE = 0.7
"""How often a run is killed only when its command is there: before that nothing may have been stopped yet."""
KILLED = ("run", "command", "both")
TIMES = 20 if DEEP else 1


def command(diary: Path, seconds: float, code: int) -> tuple[str, ...]:
    return (sys.executable, "-c", TRAINS, str(diary), str(seconds), str(code))


def run(lab: Lab, *words: str) -> "subprocess.Popen[str]":
    return lab.spawn("run", "--as", "training", "--then", "restore", "--", *words)


def written(lab: Lab) -> list[dict[str, Any]]:
    """Return what is written of commands, as somebody else finds it."""
    return [one for file in lab.state_folder.glob("*commands.json") for one in json.loads(file.read_text())]


def active(diary: Path, witness: Witness) -> None:
    """Have the witness count what a diary says."""
    if diary.exists() and (moments := diary.read_text().split()):
        witness.also(diary.name, "training", int(moments[0]), int(moments[-1]))


def test_audio_makes_way_for_a_plain_command_and_for_nothing_else_which_has_its_own_exit_code_and_comes_back(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("audio", "omni")
    running = lab.running()
    assert "goes after --" in lab.run("run", "--as", "training", "true", expect=2).err
    assert "is there, and nothing that you may run" in lab.run("run", "--as", "training", "--", "/etc/passwd", expect=2).err
    assert 'no program "absent-program"' in lab.run("run", "--as", "training", "--", "absent-program", expect=2).err
    plan = lab.run("plan", "run", "--footprint", "1GB", "--", "python3", "--x", "train.py").out
    assert "run   python3" in plan
    assert lab.running() == running
    (before,) = running
    with Witness(lab.project) as witness:
        diary = tmp_path / "diary"
        process = run(lab, *command(diary, 1000.0, 3))
        until(lambda: written(lab) and diary.exists())
        assert lab.running() == {}
        status = lab.run("status", "--format", "json").json
        (row,) = status["services"]
        assert (row["service"], row["class"], row["state"], row["planned_gb"]) == ("training", "training", "running", 0.75)
        assert row["command"]["pid"] == written(lab)[0]["pid"]
        assert status["restores"]
        refused = lab.run("audio", "omni", expect=4).err
        assert "is running since" in refused
        assert f"kill -- -{row['command']['pid']}" in refused
        diary.with_name("diary.ends").touch()
        end = ends(process)
        assert end.code == 3, end
        active(diary, witness)
    assert set(lab.running()) == {before}
    witness.require(audio_starts=1, training_starts=1)
    history = lab.run("history", "--format", "json").json[-4:]
    assert [(one["request"].split(" -- ")[0], one["outcome"], one["note"]) for one in (history[0], *history[2:])] == [
        ("run --as training", "applied", "and then restore"),
        ("run --as training", "ended", "exit code 3"),
        ("restore", "applied", "by itself, as a training or a command has ended"),
    ]


def test_a_run_within_a_run_is_refused_and_the_outer_one_goes_on(lab: Lab) -> None:
    inner = lab.arguments("run", "--as", "training", "--", "true")
    assert lab.run("run", "--as", "training", "--", *inner, expect=4).err.count("holds the machine; this is within it") == 1


def kill(lab: Lab, who: str, process: "subprocess.Popen[str]") -> None:
    """kill -9, of what is there of it."""
    if who in ("run", "both"):
        process.kill()
    if who in ("command", "both"):
        for one in written(lab):
            with suppress(ProcessLookupError):
                os.kill(one["pid"], signal.SIGKILL)


def is_there(lab: Lab, process: "subprocess.Popen[str]") -> bool:
    """Whether a command's process is there, or will never be."""
    return process.poll() is not None or any(Path(f"/proc/{one['pid']}").exists() for one in written(lab))


def killed_once(who: str, lab: Lab, diary: Path, chance: random.Random) -> None:
    """Run a command, kill somebody at a random moment, and see what ran before come back."""
    code = chance.randrange(256)
    process = run(lab, *command(diary, 0.6, code))
    if who != "run" or chance.random() < LATE:
        until(lambda: is_there(lab, process), pause=0.005)
    time.sleep(chance.random() * (1.5 if who == "run" else 0.7))
    kill(lab, who, process)
    end = ends(process)
    assert end.code in (code, 137 if who == "command" else -9), end

    def is_back() -> bool:
        lab.run("recover")
        return set(lab.running()) == {"omni"}

    until(is_back)


def test_whoever_is_killed_nothing_is_active_beside_it_and_what_ran_before_comes_back(lab: Lab, tmp_path: Path) -> None:
    lab.run("audio", "omni")
    with Witness(lab.project) as witness:
        for who in KILLED:
            chance = random.Random(who)
            for count in range(TIMES):
                diary = tmp_path / f"diary-{who}-{count}"
                killed_once(who, lab, diary, chance)
                active(diary, witness)
    witness.require(audio_starts=TIMES, training_starts=TIMES)


def test_the_gate_refuses_and_the_guard_stops_what_is_started_beside_it(gated: Lab, guard: Guarding, tmp_path: Path) -> None:
    gated.run("audio", "omni")
    diary = tmp_path / "diary"
    process = run(gated, *command(diary, 1000.0, 0))
    until(diary.exists)
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()  # which the command still has: nobody can wait for its end
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "is running since" in refused.err
    start_by_hand(gated.id_of("omni"))
    until(lambda: gated.running() == {})
    os.kill(written(gated)[0]["pid"], signal.SIGKILL)
    until(lambda: set(gated.running()) == {"omni"})
    assert "training runs alone" in guard.end()
