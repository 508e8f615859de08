"""Fifty models and a hundred services: every screen stays within the terminal, and says a few of many names."""

import fcntl
import os
import re
import struct
import termios
from collections.abc import Callable
from threading import Thread

import pytest

from tests.deep import deep
from tests.engine.forked import Forked
from tests.engine.lab import DEADLINE, Lab

pytestmark = pytest.mark.xdist_group("many names")  # what Compose answered to the one before is known to the next

PEN = re.compile(r".*\x1b\[K|\x1b\[[\d;]*m")
"""What was erased, and what has no width."""
HELPERS = [f"helper-service-{number:02}" for number in range(84)]
SPEECH = [f"speech-{number:02}" for number in range(14)]
MODELS = [f"model-{number:02}" for number in range(50)]
ASKED = (("plan", "helpers-0"), ("matrix",), ("check",), ("status",), ("budget", "group-0", *MODELS[:5]), ("budget", "unknown"))


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    one = lab_of("unsaid")
    service = 'image: "audio-lab-stand-in:latest", pull_policy: never, entrypoint: [sleep, "1000"], stop_grace_period: 1s'
    profiles = {name: f"group-{place // 17}" for place, name in enumerate(HELPERS)} | {name: name for name in (*SPEECH, "tuning")}
    lines = [f"  {name}: {{{service}, profiles: [{profile}]}}" for name, profile in profiles.items()]
    (one.folder / "compose.yaml").write_text("\n".join(["services:", f"  ollama: {{{service}}}", *lines]))
    rules = [
        "scope: project",
        "hardware: {name: a Spark, capacity: 25GB}",
        "default_footprint: 0.01GB",
        "hosts: {ollama: {service: ollama}}",
        "classes: {long: {runs_to_end: true}, helping: {}}",
        "workloads:",
        "  tuning: {class: long, footprint: 1GB}",
        *(f'  {name}: {{class: llm, host: ollama, model: "{name}:8b", footprint: 0.1GB}}' for name in MODELS),
        *(f"  {name}: {{class: audio, footprint: 0.2GB}}" for name in SPEECH),
        f"rules: [{{exclusive: [long, audio]}}, {{exclusive: [long, llm]}}, {{at_most: 1, of: [{', '.join(SPEECH)}]}}]",
        "modes:",
        f"  audio: {{profiles: [{', '.join(SPEECH)}]}}",
        "  tune: {profiles: [tuning]}",
        *(f"  helpers-{number}: {{profiles: [group-{number}], class: helping}}" for number in range(5)),
    ]
    (one.folder / "rules.yaml").write_text("\n".join(rules))
    return one


def shown(lab: Lab, width: int, *arguments: str) -> list[str]:
    """Return the lines that a terminal of a width is shown."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    text = bytearray()

    def read() -> None:
        while chunk := _read(ours):
            text.extend(chunk)

    reader = Thread(target=read)
    reader.start()
    command = Forked(lab.words(*arguments), lab.folder, lab.environment, terminal=os.ttyname(theirs))
    command.wait(DEADLINE)
    os.close(theirs)
    reader.join(DEADLINE)
    os.close(ours)
    command.communicate()
    return [PEN.sub("", line) for line in text.decode().splitlines()]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nobody writes to it any more
        return b""


@pytest.mark.parametrize("width", [80, pytest.param(120, marks=deep)])
def test_every_screen_stays_within_the_terminal(lab: Lab, width: int) -> None:
    too_long = {
        arguments: line
        for arguments in ASKED
        for line in shown(lab, width, *arguments)
        if len(line) > width and not line.startswith("lab     ")
        if max(map(len, line.split())) <= width - 12  # what has no place to break is broken by the terminal
    }
    assert too_long == {}


def test_a_plan_of_many_names_shows_a_few_and_its_data_has_all(lab: Lab) -> None:
    text, data = lab.run("plan", "helpers-0").out, lab.run("plan", "helpers-0", "--format", "json").json
    check = next(line for line in text.splitlines() if " check " in line)
    assert "and 15 more" in check
    assert len(data["target"]) == 18
    assert all(one["subject"] == ", ".join(data["target"]) for one in data["steps"] if one["action"] == "verify")


def test_many_pairs_of_modes_share_a_line(lab: Lab) -> None:
    groups = ", ".join(f"helpers-{number} group-{number}" for number in range(5))
    lines = [line.strip() for line in lab.run("matrix").out.splitlines()]
    assert f"audio speech-00 + any of {groups}" in lines


def test_a_hundred_services_without_a_health_check_are_one_line_of_check(lab: Lab) -> None:
    (line,) = [line for line in lab.run("check", expect=None).out.splitlines() if "health check" in line]
    assert line.endswith(f"{', '.join(HELPERS[:5])} and 94 more")


def test_a_host_of_many_models_that_must_go_names_a_few_of_them(lab: Lab) -> None:
    lab.run("up", "ollama")
    assert "serves model-00, model-01, model-02, model-03, model-04 and 45 more, and" in lab.run("plan", "tune").out
