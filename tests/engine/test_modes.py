"""The promise on a real engine: training and audio are never active together, and what both need stays."""

import json
from itertools import combinations, pairwise, permutations

import pytest

from tests.deep import DEEP, deep
from tests.engine.lab import Lab, docker
from tests.engine.witness import Moment, Witness, overlap_ms, starts

TIMES = 20
MODES = ("audio omni", "audio chatterbox", *(("audio xtts", "audio qwen", "audio f5") if DEEP else ()), "training")
"""The others of their shape are tried in `make test-deep`: one speech model alone, one with its helpers, training."""
SERVICES = {
    "audio omni": {"omni"},
    "training": {"training"},
    **{f"audio {name}": {name, "whisper", "ollama"} for name in ("chatterbox", "xtts", "qwen", "f5")},
}


@deep
def test_training_and_audio_follow_each_other_and_never_meet(lab: Lab) -> None:
    with Witness(lab.project) as witness:
        for _ in range(TIMES):
            lab.run("audio", "omni")
            lab.run("training")
    witness.require(audio_starts=TIMES, training_starts=TIMES)


def test_every_pair_of_modes_ends_in_the_second_and_the_sides_never_meet(lab: Lab) -> None:
    walk = [*(mode for pair in combinations(MODES, 2) for mode in pair), MODES[0]]
    assert sorted(pairwise(walk)) == sorted(permutations(MODES, 2))
    with Witness(lab.project) as witness:
        for mode in walk:
            lab.run(*mode.split())
            assert set(lab.running()) == SERVICES[mode]
            assert lab.run("status", "--format", "json").json["mode"] == mode
    witness.require(audio_starts=len(walk) - len(MODES) + 1, training_starts=len(MODES) - 1)


def test_what_the_next_profile_needs_too_keeps_its_containers_a_host_that_serves_another_class_stays_and_a_stop_stops_alone(
    lab: Lab,
) -> None:
    lab.run("audio", "chatterbox")
    before = lab.running()
    lab.run("audio", "xtts", "--with", "llama3.1:70b")
    after = lab.running()
    assert {name: after[name] for name in ("whisper", "ollama")} == {name: before[name] for name in ("whisper", "ollama")}
    assert set(after) == {"xtts", "whisper", "ollama"}
    lab.run("stop", "xtts")
    assert lab.running() == {name: after[name] for name in ("whisper", "ollama")}
    lab.run("audio", "omni")
    assert lab.running()["ollama"] == after["ollama"]
    assert set(lab.running()) == {"omni", "ollama"}
    lab.run("stop")
    assert lab.running() == {}
    assert lab.run("stop").out == "nothing to do: nothing of the lab is running\n"


def test_another_variant_is_stopped_created_and_started(lab: Lab) -> None:
    lab.run("training")
    before = lab.running()["training"][0]
    lab.run("training:large", "--yes")
    after = lab.running()["training"][0]
    assert before != after
    (raw,) = json.loads(docker("inspect", after))
    assert "TRAINING_BATCH=large" in raw["Config"]["Env"]
    assert lab.run("training:large").out.startswith("nothing to do")


def test_restore_brings_back_what_ran_before_in_its_variant_and_training_goes_on_from_its_checkpoint(lab: Lab) -> None:
    lab.run("training:small")
    lab.run("audio", "omni")
    lab.run("restore")
    (raw,) = json.loads(docker("inspect", training := lab.running()["training"][0]))
    assert "TRAINING_BATCH=small" in raw["Config"]["Env"]
    assert "resum" in docker("logs", training).lower()
    assert set(lab.running()) == {"training"}
    lab.run("restore")
    assert set(lab.running()) == {"omni"}


def test_the_witness_fails_on_a_deliberate_overlap(lab: Lab) -> None:
    with Witness(lab.project) as witness:
        lab.compose("up", "-d", "omni", "training")
        lab.compose("stop", "omni", "training")
    with pytest.raises(AssertionError, match="active together"):
        witness.require(audio_starts=1, training_starts=1)
    with pytest.raises(AssertionError, match="missed starts"):
        witness.require(audio_starts=100, training_starts=1)


@pytest.mark.parametrize(
    ("moments", "milliseconds"),
    [
        ([(0, "a", "audio", True), (5_000_000, "a", "audio", False), (5_000_000, "t", "training", True)], 0),
        ([(0, "a", "audio", True), (1_000_000, "t", "training", True), (3_000_000, "a", "audio", False)], 2),
        ([(0, "a", "audio", True), (1, "b", "audio", True), (2, "a", "audio", False), (3, "t", "training", True)], float("inf")),
    ],
)
def test_the_witness_reckons_overlap_by_container(moments: list[tuple[int, str, str, bool]], milliseconds: float) -> None:
    seen = [Moment(*one) for one in moments]
    assert overlap_ms(seen) == milliseconds
    assert starts(seen, "training") == 1


def test_a_plan_that_was_confirmed_is_carried_out_and_no_other_one(lab: Lab) -> None:
    lab.run("audio", "omni")
    digest = lab.run("plan", "training", "--format", "json").json["digest"]
    assert lab.run("plan", "training", "--format", "json").json["digest"] == digest
    lab.compose("up", "--detach", "--no-deps", "whisper")
    before = lab.running()
    refused = lab.run("training", "--yes", "--expect", digest, expect=4)
    assert "it stops omni, whisper; nothing was touched" in " ".join(refused.err.split())
    lab.run("plan", "training", "--expect", digest, expect=4)
    lab.run("training", "--expect", "none", expect=2)
    assert lab.running() == before
    now = lab.run("plan", "training", "--format", "json").json["digest"]
    lab.run("training", "--yes", "--expect", now)
    assert set(lab.running()) == {"training"}
