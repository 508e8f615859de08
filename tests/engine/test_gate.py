"""With the gate in place plain `docker compose up` obeys the rules, on a real engine."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.deep import DEEP
from tests.engine.lab import Lab, ends, give_the_word, until
from tests.engine.witness import Witness
from tests.hostile import lay_traps

RACES = 50 if DEEP else 2


def test_plain_compose_passes_while_nothing_speaks_against_it_else_is_refused_with_the_reason_and_without_the_gate_is_what_it_was(
    gated: Lab,
) -> None:
    passed = gated.plain("--profile", "training", "up", "-d")
    assert passed.code == 0, passed.err
    assert gated.run("status", "--format", "json").json["mode"] == "training"
    again = gated.plain("--profile", "training", "up", "-d")
    assert again.code == 0, again.err

    before = gated.running()
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "omni does not start beside training: training runs alone" in refused.err
    assert "to have it instead: spark-mode audio omni, which stops training" in refused.err
    assert gated.running() == before

    gated.run("gate", "uninstall")
    assert list(gated.folder.glob("spark-mode.gate*")) == []
    assert (gated.folder / ".env").read_text().splitlines()[1] == "COMPOSE_FILE=compose/audio-lab.yaml:compose/stand-in.yaml"
    passed = gated.plain("--profile", "omni", "up", "-d")
    assert passed.code == 0, passed.err
    assert "two sides" in gated.run("status").out or gated.run("status", "--format", "json").json["violations"]


@pytest.mark.parametrize("search_path", [":", *(["", ":/x", "."] if DEEP else [])])
def test_the_gate_goes_by_the_rules_it_was_installed_with_runs_nothing_of_the_folder_it_is_asked_in_and_spares_what_is_held(
    gated: Lab, search_path: str
) -> None:
    own, other = gated.folder / "rules.yaml", gated.folder / "other.yaml"
    other.write_text(own.read_text().replace("base.yaml", "rules.yaml"))
    (gated.folder / "base.yaml").rename(own)
    gated.run("gate", "install", SPARK_MODE_RULES="other.yaml")
    sprung = lay_traps(gated.folder)
    gated.environment["PYTHONPATH"] = search_path
    passed = gated.plain("--profile", "omni", "up", "-d")
    assert passed.code == 0, passed.err
    gated.run("audio", "omni", "--hold", SPARK_MODE_RULES="other.yaml")
    refused = gated.plain("--profile", "training", "up", "-d")
    assert refused.code == 1, "the gate was not asked"
    assert "omni is held: root holds audio omni" in refused.err
    assert set(gated.running()) == {"omni"}
    assert not sprung.exists(), sprung.read_text()


def test_check_has_nothing_against_the_gate_and_an_exported_compose_file_goes_around_it_and_both_say_so(gated: Lab) -> None:
    assert "not where COMPOSE_FILE is exported" in gated.run("gate", "install").out
    found = gated.run("check", "--format", "json", expect=None).json
    assert [one for one in found if one["level"] == "error"] == []
    assert not [one for one in found if "spark-mode-gate" in one["where"]]
    (gate,) = [one for one in found if one["where"] == "gate"]
    assert gate["level"] == "ok"
    assert "--no-deps" in gate["message"]
    assert "not where COMPOSE_FILE is exported" in gate["message"]
    exported = "compose/audio-lab.yaml:compose/stand-in.yaml"
    assert "goes around" in gated.run("gate", "install", expect=2, COMPOSE_FILE=exported).err
    assert "unset COMPOSE_FILE" in gated.run("check", expect=None, COMPOSE_FILE=exported).out


def test_plain_compose_is_refused_what_does_not_fit(gated: Lab) -> None:
    rules = gated.folder / "rules.yaml"
    rules.write_text(rules.read_text() + "limits: {fits_easily: 5GB, fits: 10GB, tight: 13GB, headroom: 20GB, floor: 10GB}\n")
    gated.run("up", "whisper")
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "omni does not start beside whisper" in refused.err
    assert "omni would not fit beside it" in refused.err
    assert set(gated.running()) == {"whisper"}


def test_plain_compose_is_refused_in_the_middle_of_a_switch_and_after_one_that_was_cut_off(gated: Lab) -> None:
    process = gated.spawn("training", TRAINING_LOAD="20", TRAINING_ASKED="2s")
    until(lambda: "training" in gated.running())
    assert "another switch is running: training" in gated.run("status").out
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "a switch is running" in refused.err
    process.kill()
    ends(process)
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "was cut off" in refused.err
    assert "spark-mode recover" in refused.err
    assert "omni" not in gated.running()


def start_slowly(gated: Lab) -> None:
    """Have xtts wait until ollama is healthy; that it is at a word."""
    check = {"test": ["CMD", "test", "-e", "/word"], "start_period": "10m", "start_interval": "500ms"}
    services = {"xtts": {"depends_on": {"ollama": {"condition": "service_healthy"}}}, "ollama": {"healthcheck": check}}
    (gated.folder / "slow.yaml").write_text(json.dumps({"services": services}))
    env = gated.folder / ".env"
    env.write_text(env.read_text().replace("stand-in.yaml", "stand-in.yaml:slow.yaml"))


@contextmanager
def compose_starts_xtts(gated: Lab) -> Iterator["subprocess.Popen[str]"]:
    """A plain `docker compose up -d`, in a group of its own."""
    with subprocess.Popen(
        ["docker", "compose", "--profile", "xtts", "up", "-d"],
        cwd=gated.folder,
        env=gated.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def lessees(gated: Lab) -> set[int]:
    """Return which processes are written to have a lease of xtts, whether they still run or not."""
    leases = [one for file in gated.state_folder.glob("*leases.json") for one in json.loads(file.read_text())]
    return {one["pid"] for one in leases if one["service"] == "xtts"}


def test_a_lease_ends_with_who_asked_or_lives_until_the_service_has_started_and_our_own_switches_never_ask_the_gate(
    gated: Lab,
) -> None:
    start_slowly(gated)
    with compose_starts_xtts(gated) as killed:
        until(lambda: lessees(gated))
        assert "leased" in gated.run("status").out
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert "leased" not in gated.run("status").out
    gated.run("plan", "training")
    before = lessees(gated)

    with compose_starts_xtts(gated) as slow, Witness(gated.project) as witness:
        until(lambda: lessees(gated) - before and "ollama" in gated.running())
        assert "xtts" not in gated.running()
        assert "leased" in gated.run("status").out
        refused = gated.run("training", "--yes", expect=4)
        assert "xtts is about to start: root starts it with docker compose up (process " in refused.err
        assert "or end what starts it: kill " in refused.err
        give_the_word(gated, "ollama")
        end = ends(slow)
        assert end.code == 0, end.out
        assert {"xtts", "whisper", "ollama"} == set(gated.running())
        assert gated.run("status", "--format", "json").json["mode"] == "audio xtts"

        (gated.folder / "spark-mode.gate.sh").unlink()
        assert gated.plain("--profile", "omni", "up", "-d").code != 0, "the gate was not asked"
        gated.run("training", "--yes")
    assert set(gated.running()) == {"training"}
    witness.require(audio_starts=1, training_starts=1)


def test_plain_compose_and_switches_that_race_never_overlap(gated: Lab) -> None:
    chance = random.Random(6)
    gated.run("audio", "omni", "--yes")
    with Witness(gated.project) as witness:
        for number in range(RACES):
            switch, profile = (("training", "--yes"), "omni") if number % 2 == 0 else (("audio", "omni", "--yes"), "training")
            pause = chance.uniform(0, 1.2)
            plain = threading.Thread(target=lambda profile=profile: gated.plain("--profile", profile, "up", "-d"))
            if number % 3 == 0:
                plain.start()
                time.sleep(pause)
                gated.run(*switch, expect=None)
            else:
                process = gated.spawn(*switch)
                time.sleep(pause)
                plain.start()
                ends(process)
            plain.join()
            gated.run("stop", expect=None) if number % 4 == 3 else None
    witness.require(audio_starts=RACES // 2, training_starts=RACES // 2)
