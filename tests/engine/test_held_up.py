"""A switch that is interrupted, stopped or waits long, on a real engine: it says so, and is in nobody's way."""

import signal
import subprocess

import pytest

from tests.engine.lab import LONG, SLOW_STOP, Lab, asked_to_stop, docker, ends, interrupt, until


def doing(lab: Lab, what: str) -> None:
    """Wait until a switch does something."""
    until(lambda: any(f'"{what}"' in lock.read_text() for lock in lab.state_folder.glob("*.lock")))


def said(process: "subprocess.Popen[str]", what: str) -> str:
    """Read what a switch says until it says something; return that line."""
    assert process.stdout is not None
    while what not in (line := process.stdout.readline()):
        assert line, f"it never said {what}"
    return line


@pytest.mark.usefixtures("guard")
def test_the_guard_acts_beside_a_switch_that_was_stopped(apart: Lab) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    switch = apart.spawn("audio", "omni", "--yes", OMNI_LOAD="60")
    doing(apart, "start omni")
    until(lambda: "omni" in apart.running())
    switch.send_signal(signal.SIGSTOP)
    docker("start", apart.id_of("training"))
    until(lambda: set(apart.running()) == {"training"})
    switch.send_signal(signal.SIGCONT)
    end = ends(switch)
    assert end.code in (1, 7), end
    assert set(apart.running()) == {"training"}


@pytest.mark.usefixtures("guard")
def test_the_guard_acts_while_a_switch_waits_for_a_long_stop(apart: Lab) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes", TRAINING_FAULT=SLOW_STOP, TRAINING_GRACE=LONG)
    switch = apart.spawn("up", "whisper", "--yes")
    doing(apart, "stop training")
    docker("start", apart.id_of("omni"))
    until(lambda: "omni" not in apart.running())
    assert "training" in apart.running()
    docker("kill", apart.id_of("training"))
    ends(switch)


def test_a_switch_that_sees_two_sides_stops_all_that_has_to_go_at_once_and_none_after_anothers_grace(lab: Lab) -> None:
    lab.run("training")
    lab.run("audio", "xtts", "--yes", XTTS_FAULT=SLOW_STOP, WHISPER_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    docker("start", lab.id_of("training"))
    switch = lab.spawn("audio", "omni", "--yes")
    asked_to_stop(lab, "whisper")
    asked_to_stop(lab, "xtts")
    assert {"whisper", "xtts", "training"} <= set(lab.running())
    switch.kill()
    switch.communicate()


def test_the_first_ctrl_c_says_at_once_what_is_awaited_and_what_a_second_one_does(lab: Lab) -> None:
    lab.run("training", TRAINING_FAULT=SLOW_STOP, TRAINING_GRACE=LONG)
    switch = lab.spawn("audio", "omni", "--yes")
    doing(lab, "stop training")
    training = asked_to_stop(lab, "training")
    interrupt(switch)
    line = said(switch, "interrupted")
    assert "training" in lab.running(), "it was said only after the stop"
    assert "stop training, it has up to 100 s to end" in line
    docker("kill", training)
    assert "A second Ctrl-C leaves at once" in line
    assert ends(switch).code == 130
    assert set(lab.running()) == {"training"}


def test_ctrl_z_does_not_hold_a_switch_up_in_the_middle_and_that_is_said(lab: Lab) -> None:
    lab.run("audio", "omni")
    switch = lab.spawn("training", "--yes", TRAINING_LOAD="3", TRAINING_ASKED="1s")
    doing(lab, "start training")
    switch.send_signal(signal.SIGTSTP)
    assert "a switch is not held up in the middle" in said(switch, "held up")
    assert ends(switch).code == 0
    assert set(lab.running()) == {"training"}


def test_a_training_that_fails_at_its_end_is_a_loud_warning(lab: Lab) -> None:
    lab.run("training", TRAINING_FAULT="stops-with=1")
    end = lab.run("audio", "omni", "--yes")
    assert "ended with 1 when it was stopped: ITS CHECKPOINT MAY BE LOST" in end.err
