"""With the gate in place plain `docker compose up` obeys the rules, on a real engine."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from tests.deep import DEEP
from tests.engine.lab import Lab, ends, give_the_word, until
from tests.engine.witness import Witness
from tests.hostile import lay_traps

RACES = 50 if DEEP else 4


def test_plain_compose_is_refused_with_the_reason_and_the_command_that_works(gated: Lab) -> None:
    gated.run("training")
    before = gated.containers()
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "omni does not start beside training: training runs alone" in refused.err
    assert "to have it instead: spark-mode audio omni, which stops training" in refused.err
    assert [one for one in gated.containers() if one["state"] == "running"] == before
    assert "omni" not in gated.running()


def test_plain_compose_passes_while_nothing_speaks_against_it_and_status_shows_it(gated: Lab) -> None:
    passed = gated.plain("--profile", "training", "up", "-d")
    assert passed.code == 0, passed.err
    assert gated.run("status", "--format", "json").json["mode"] == "training"
    again = gated.plain("--profile", "training", "up", "-d")
    assert again.code == 0, again.err


@pytest.mark.parametrize("search_path", [":", *(["", ":/x", "."] if DEEP else [])])
def test_asking_the_gate_runs_nothing_of_the_folder_it_is_asked_in(gated: Lab, search_path: str) -> None:
    sprung = lay_traps(gated.folder)
    gated.environment["PYTHONPATH"] = search_path
    passed = gated.plain("--profile", "omni", "up", "-d")
    assert passed.code == 0, passed.err
    assert gated.plain("--profile", "training", "up", "-d").code == 1, "the gate was not asked"
    assert not sprung.exists(), sprung.read_text()


def test_an_exported_compose_file_goes_around_the_gate_and_both_say_so(gated: Lab) -> None:
    assert "not where COMPOSE_FILE is exported" in gated.run("gate", "install").out
    assert "not where COMPOSE_FILE is exported" in gated.run("check", expect=None).out
    exported = "compose/audio-lab.yaml:compose/stand-in.yaml"
    assert "goes around" in gated.run("gate", "install", expect=2, COMPOSE_FILE=exported).err
    assert "unset COMPOSE_FILE" in gated.run("check", expect=None, COMPOSE_FILE=exported).out


def test_what_depends_on_others_passes_as_a_whole(gated: Lab) -> None:
    passed = gated.plain("--profile", "xtts", "up", "-d", "--wait")
    assert passed.code == 0, passed.err
    assert set(gated.running()) == {"xtts", "whisper", "ollama"}
    assert gated.run("status", "--format", "json").json["mode"] == "audio xtts"


def test_plain_compose_is_refused_what_does_not_fit(gated: Lab) -> None:
    rules = gated.folder / "rules.yaml"
    rules.write_text(rules.read_text() + "limits: {fits_easily: 5GB, fits: 10GB, tight: 20GB, headroom: 20GB, floor: 10GB}\n")
    gated.run("audio", "xtts")
    refused = gated.plain("--profile", "omni", "up", "-d")
    assert refused.code == 1
    assert "omni" in refused.err
    assert "omni" not in gated.running()


def test_plain_compose_is_refused_what_would_stop_something_held(gated: Lab) -> None:
    gated.run("audio", "omni", "--hold")
    refused = gated.plain("--profile", "training", "up", "-d")
    assert refused.code == 1
    assert "omni is held: root holds audio omni" in refused.err
    assert set(gated.running()) == {"omni"}


def test_plain_compose_is_refused_in_the_middle_of_a_switch_and_after_one_that_was_cut_off(gated: Lab) -> None:
    gated.run("audio", "xtts")
    process = gated.spawn("training", TRAINING_LOAD="20")
    until(lambda: "training" in gated.running())
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


@pytest.fixture
def slow(gated: Lab) -> Iterator["subprocess.Popen[str]"]:
    """A plain `docker compose up -d` of xtts, which waits until ollama is healthy; that it is at a word."""
    check = {"test": ["CMD", "test", "-e", "/word"], "start_period": "10m", "start_interval": "500ms"}
    services = {"xtts": {"depends_on": {"ollama": {"condition": "service_healthy"}}}, "ollama": {"healthcheck": check}}
    (gated.folder / "slow.yaml").write_text(json.dumps({"services": services}))
    env = gated.folder / ".env"
    env.write_text(env.read_text().replace("stand-in.yaml", "stand-in.yaml:slow.yaml"))
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


def test_a_lease_lives_until_the_service_has_started_however_long_its_dependency_loads(
    gated: Lab, slow: "subprocess.Popen[str]"
) -> None:
    with Witness(gated.project) as witness:
        until(lambda: "ollama" in gated.running())
        assert "xtts" not in gated.running()
        assert "leased" in gated.run("status").out
        refused = gated.run("training", "--yes", expect=4)
        assert "xtts is about to start: root starts it with docker compose up (process " in refused.err
        assert "or end what starts it: kill " in refused.err
        give_the_word(gated, "ollama")
        end = ends(slow)
        assert end.code == 0, end.out
        assert {"xtts", "whisper", "ollama"} == set(gated.running())
        gated.run("training", "--yes")
    assert set(gated.running()) == {"training"}
    witness.require(audio_starts=0, training_starts=1)


def test_a_lease_ends_with_the_process_that_asked(gated: Lab, slow: "subprocess.Popen[str]") -> None:
    until(lambda: "ollama" in gated.running())
    os.killpg(slow.pid, signal.SIGKILL)
    slow.wait()
    gated.run("training", "--yes")
    assert set(gated.running()) == {"training"}


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
    witness.require(audio_starts=2, training_starts=2)


def test_our_own_switches_never_ask_the_gate(gated: Lab) -> None:
    (gated.folder / "spark-mode.gate.sh").unlink()
    assert gated.plain("--profile", "omni", "up", "-d").code != 0, "the gate was not asked"
    gated.run("audio", "xtts", "--yes")
    gated.run("training", "--yes")
    assert set(gated.running()) == {"training"}


def test_the_gate_judges_by_the_rules_that_it_was_installed_with(gated: Lab) -> None:
    own = gated.folder / "rules.yaml"
    own.rename(gated.folder / "other.yaml")
    (gated.folder / "base.yaml").rename(own)
    (gated.folder / "other.yaml").write_text((gated.folder / "other.yaml").read_text().replace("base.yaml", "rules.yaml"))
    gated.run("gate", "install", SPARK_MODE_RULES="other.yaml")
    passed = gated.plain("--profile", "omni", "up", "-d")
    assert passed.code == 0, passed.err


def test_check_has_nothing_against_the_gate_and_says_what_it_does_not_cover(gated: Lab) -> None:
    found = gated.run("check", "--format", "json", expect=None).json
    assert [one for one in found if one["level"] == "error"] == []
    assert not [one for one in found if "spark-mode-gate" in one["where"]]
    (gate,) = [one for one in found if one["where"] == "gate"]
    assert gate["level"] == "ok"
    assert "--no-deps" in gate["message"]


def test_without_the_gate_plain_compose_is_what_it_was(gated: Lab) -> None:
    gated.run("training")
    gated.run("gate", "uninstall")
    assert list(gated.folder.glob("spark-mode.gate*")) == []
    assert (gated.folder / ".env").read_text().splitlines()[1] == "COMPOSE_FILE=compose/audio-lab.yaml:compose/stand-in.yaml"
    passed = gated.plain("--profile", "omni", "up", "-d")
    assert passed.code == 0, passed.err
    assert "two sides" in gated.run("status").out or gated.run("status", "--format", "json").json["violations"]
