"""A switch that is interrupted, stopped or waits long, on a real engine: it says so, and is in nobody's way."""

import signal
import subprocess

import pytest

from tests.engine.lab import LONG, SLOW_STOP, Lab, asked_to_stop, docker, ends, interrupt, said, start_by_hand, until
from tests.engine.witness import Witness


def doing(lab: Lab, what: str) -> None:
    """Wait until a switch does something."""
    until(lambda: any(f'"{what}"' in lock.read_text() for lock in lab.state_folder.glob("*.lock")))


@pytest.mark.usefixtures("guard")
def test_the_guard_acts_beside_a_switch_that_was_stopped(apart: Lab) -> None:
    apart.run("training")
    switch = apart.spawn("audio", "omni", "--yes", OMNI_LOAD="60")
    doing(apart, "start omni")
    until(lambda: "omni" in apart.running())
    switch.send_signal(signal.SIGSTOP)
    start_by_hand(apart.id_of("training"))
    until(lambda: set(apart.running()) == {"training"})
    switch.send_signal(signal.SIGCONT)
    end = ends(switch)
    assert end.code in (1, 7), end
    assert set(apart.running()) == {"training"}


@pytest.mark.usefixtures("guard")
def test_the_guard_acts_while_a_switch_waits_for_a_long_stop(apart: Lab) -> None:
    apart.run("training", TRAINING_FAULT=SLOW_STOP, TRAINING_GRACE=LONG)
    assert apart.plain("--profile", "omni", "create").code == 0
    switch = apart.spawn("up", "whisper", "--yes")
    doing(apart, "stop training")
    start_by_hand(apart.id_of("omni"))
    until(lambda: "omni" not in apart.running())
    assert set(apart.running()) == {"training"}
    switch.kill()
    switch.communicate()


def test_the_witness_fails_on_a_deliberate_overlap_and_a_switch_that_sees_it_stops_all_that_has_to_go_at_once(lab: Lab) -> None:
    slow = {"CHATTERBOX_FAULT": SLOW_STOP, "WHISPER_FAULT": SLOW_STOP, "STOP_GRACE": LONG}
    with Witness(lab.project) as witness:
        lab.compose("up", "--wait", "--no-deps", "training", "chatterbox", "whisper", **slow)  # each hears a stop
    with pytest.raises(AssertionError, match="active together"):
        witness.require(audio_starts=2, training_starts=1)
    with pytest.raises(AssertionError, match="missed starts"):
        witness.require(audio_starts=100, training_starts=1)
    switch = lab.spawn("audio", "omni", "--yes")
    asked_to_stop(lab, "whisper")
    asked_to_stop(lab, "chatterbox")
    assert {"whisper", "chatterbox", "training"} <= set(lab.running()), "one waited for another's grace"
    switch.kill()
    switch.communicate()


def test_ctrl_c_a_hang_up_and_sigterm_say_at_once_what_is_awaited_and_end_in_the_former_mode_and_a_second_one_leaves_at_once(
    lab: Lab,
) -> None:
    slow = {"TRAINING_FAULT": SLOW_STOP, "TRAINING_GRACE": LONG}
    lab.run("training", expect=0, **slow)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        switch = lab.spawn("audio", "omni", "--yes", **slow)
        training = asked_to_stop(lab, "training")
        switch.send_signal(number)
        line = said(switch, "interrupted")
        assert "training" in lab.running(), "it was said only after the stop"
        assert "stop training, it has up to 100 s to end" in line
        assert "A second Ctrl-C leaves at once" in line
        docker("kill", training)
        end = ends(switch)
        assert end.code == 130, end
        assert "What ran before runs again: training" in end.out
        assert set(lab.running()) == {"training"}
    assert [one["outcome"] for one in lab.run("history", "--format", "json").json][1:] == ["interrupted"] * 3

    switch = lab.spawn("audio", "omni", "--yes", **slow)
    training = asked_to_stop(lab, "training")
    until(lambda: interrupted(switch), pause=0.2)
    end = ends(switch)
    assert end.code == 130, end
    assert "left at once" in end.out.lower()
    assert "spark-mode recover" in end.out
    docker("kill", training)
    lab.run("recover", "--wait=30")
    assert set(lab.running()) == {"omni"}


def interrupted(process: "subprocess.Popen[str]") -> bool:
    """Press Ctrl-C, unless the process has ended; whether it has."""
    if process.poll() is None:
        interrupt(process)
        return False
    return True
