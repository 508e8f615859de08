"""The promise on a real engine: training and audio are never active together, and what both need stays."""

import json
from itertools import combinations, pairwise, permutations

import pytest

from tests.deep import deep
from tests.engine.lab import Lab, docker
from tests.engine.witness import Moment, Witness, overlap_ms, starts

TIMES = 20
MODES = ("audio omni", "audio chatterbox", "audio xtts", "audio qwen", "audio f5", "training")
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


@deep
def test_every_pair_of_modes_ends_in_the_second_and_the_sides_never_meet(lab: Lab) -> None:
    walk = [*(mode for pair in combinations(MODES, 2) for mode in pair), MODES[0]]
    assert sorted(pairwise(walk)) == sorted(permutations(MODES, 2))
    with Witness(lab.project) as witness:
        for mode in walk:
            lab.run(*mode.split())
            assert set(lab.running()) == SERVICES[mode]
            assert lab.run("status", "--format", "json").json["mode"] == mode
    witness.require(audio_starts=len(walk) - len(MODES) + 1, training_starts=len(MODES) - 1)


def test_from_mode_to_mode_what_the_next_one_needs_too_keeps_its_containers_a_stop_stops_alone_and_the_sides_never_meet(
    lab: Lab,
) -> None:
    with Witness(lab.project) as witness:
        lab.run("training")
        assert in_mode(lab, "training")
        lab.run("audio", "chatterbox")
        assert in_mode(lab, "audio chatterbox")
        before = lab.running()
        lab.run("audio", "xtts", "--with", "llama3.1:70b")
        after = lab.running()
        assert {name: after[name] for name in ("whisper", "ollama")} == {name: before[name] for name in ("whisper", "ollama")}
        assert set(after) == {"xtts", "whisper", "ollama"}
        lab.run("stop", "xtts")
        assert lab.running() == {name: after[name] for name in ("whisper", "ollama")}
        lab.run("audio", "omni")
        assert lab.running()["ollama"] == after["ollama"], "a host that serves another class stays"
        assert set(lab.running()) == {"omni", "ollama"}
        lab.run("training")
        assert in_mode(lab, "training")
        lab.run("audio", "omni")
        assert in_mode(lab, "audio omni")
        lab.run("stop")
        assert lab.running() == {}
    witness.require(audio_starts=6, training_starts=2)
    assert lab.run("stop").out == "nothing to do: nothing of the lab is running\n"


def in_mode(lab: Lab, mode: str) -> bool:
    """Whether what a mode needs runs, and nothing else, and that is what it is called."""
    return set(lab.running()) == SERVICES[mode] and lab.run("status", "--format", "json").json["mode"] == mode


def test_another_variant_is_created_restore_brings_it_back_and_training_goes_on_from_its_checkpoint(lab: Lab) -> None:
    lab.run("training")
    before = lab.running()["training"][0]
    lab.run("training:large", "--yes")
    after = lab.running()["training"][0]
    assert before != after
    assert runs_large(after)
    assert lab.run("training:large").out.startswith("nothing to do")
    lab.run("audio", "omni")
    lab.run("restore")
    assert set(lab.running()) == {"training"}
    assert runs_large(restored := lab.running()["training"][0])
    assert "resum" in docker("logs", restored).lower()


def runs_large(training: str) -> bool:
    """Whether a container is of the large variant."""
    (raw,) = json.loads(docker("inspect", training))
    return "TRAINING_BATCH=large" in raw["Config"]["Env"]


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
    digest = lab.run("plan", "training", "--format", "json").json["digest"]
    assert lab.run("plan", "training", "--format", "json").json["digest"] == digest
    lab.compose("up", "--detach", "--no-deps", "whisper")
    before = lab.running()
    refused = lab.run("training", "--yes", "--expect", digest, expect=4)
    assert "it stops whisper; nothing was touched" in " ".join(refused.err.split())
    lab.run("plan", "training", "--expect", digest, expect=4)
    lab.run("training", "--expect", "none", expect=2)
    assert lab.running() == before
    now = lab.run("plan", "training", "--format", "json").json["digest"]
    lab.run("training", "--yes", "--expect", now)
    assert set(lab.running()) == {"training"}
