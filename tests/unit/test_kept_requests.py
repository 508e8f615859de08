"""A request of another machine is begun once, hears one word, and is known by its id as long as it is kept."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.sharing.kept_requests import DROP, EXPIRED, GO, KEPT, KeptRequest

ID = "0123456789abcdef"
WORDS = ("training",)


def tells(*events: str, then: str = "") -> tuple[str, ...]:
    """Return a command that tells of events."""
    lines = "".join(f'print(\'{{"event": "{one}"}}\', flush=True);' for one in events)
    return (sys.executable, "-c", f"import time; {lines} {then}")


def ended(request: KeptRequest) -> None:
    until = time.monotonic() + 20
    while request.runs:
        assert time.monotonic() < until
        time.sleep(0.01)


def begin(folder: Path, *command: str) -> KeptRequest:
    request = KeptRequest(ID, folder)
    request.begin(WORDS, command or tells(), os.environ)
    return request


STAYS = tells(then="print(__import__('os').getpid(), flush=True); time.sleep(60)")


def number_of(request: KeptRequest) -> int:
    """Return the number of the process that stays."""
    until = time.monotonic() + 20
    while not (said := (request.path / "events").read_text()).endswith("\n"):
        assert time.monotonic() < until
        time.sleep(0.01)
    return int(said)


def all_at_once(*acts: Callable[[], None]) -> None:
    acting = [threading.Thread(target=one) for one in acts]
    for one in acting:
        one.start()
    for one in acting:
        one.join()


def _begun(request: KeptRequest, begun: list[bool]) -> None:
    begun.append(request.begin(WORDS, tells("planned"), os.environ))


def _hears(request: KeptRequest, word: str, heard: list[str]) -> None:
    heard.append(request.say(word))


def test_it_is_begun_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    request, *others = (KeptRequest(ID, tmp_path) for _ in range(3))
    begun = [one.begin(WORDS, tells("planned"), os.environ) for one in (request, *others)]
    assert begun == [True, False, False]
    ended(request)
    assert [one["event"] for one in request.events()] == ["planned"]
    assert request.words == WORDS


def test_of_many_at_once_one_begins_it(tmp_path: Path) -> None:
    begun: list[bool] = []
    requests = [KeptRequest(ID, tmp_path) for _ in range(8)]
    all_at_once(*(partial(_begun, one, begun) for one in requests))
    assert sorted(begun) == [False] * 7 + [True]
    for one in requests:
        ended(one)
    assert len(KeptRequest(ID, tmp_path).events()) == 1
    assert [one.name for one in tmp_path.iterdir()] == [ID]


def test_the_same_id_for_other_words_is_refused(tmp_path: Path) -> None:
    request = begin(tmp_path)
    ended(request)
    with pytest.raises(UsageFault, match="given to another request"):
        KeptRequest(ID, tmp_path).begin(("audio", "omni"), tells(), os.environ)


@pytest.mark.parametrize("name", ["", "../x", "0123", ID.upper(), f"{ID}/..", f"{ID}-", f"-{ID}"])
def test_what_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageFault):
        KeptRequest(name, tmp_path)


def test_the_first_word_counts_whoever_else_says_one(tmp_path: Path) -> None:
    request = begin(tmp_path)
    assert request.word is None
    assert [request.say(one) for one in (DROP, GO, EXPIRED)] == [DROP] * 3
    ended(request)


def test_of_many_words_at_once_all_hear_the_same(tmp_path: Path) -> None:
    request = begin(tmp_path)
    heard: list[str] = []
    all_at_once(*(partial(_hears, request, word, heard) for word in (GO, DROP, EXPIRED) * 5))
    ended(request)
    assert len({*heard}) == 1
    assert {*heard} == {request.word}


def test_it_runs_until_its_command_has_ended_however_that_ends(tmp_path: Path) -> None:
    request = begin(tmp_path, *STAYS)
    pid = number_of(request)
    assert request.runs
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGKILL)
    ended(request)


def test_a_line_that_is_just_being_written_is_no_event(tmp_path: Path) -> None:
    request = begin(tmp_path, *tells("planned", then="""print('{"event": "en', end='', flush=True)"""))
    ended(request)
    assert [one["event"] for one in request.events()] == ["planned"]


def test_what_it_wrote_as_errors_is_kept_to_its_end(tmp_path: Path) -> None:
    request = begin(tmp_path, sys.executable, "-c", "import sys; sys.exit('no room')")
    ended(request)
    assert request.last_words() == "no room"


def test_the_oldest_are_forgotten_and_those_that_run_are_not(tmp_path: Path) -> None:
    first = KeptRequest(f"{0:016x}", tmp_path)
    first.begin(WORDS, STAYS, os.environ)
    try:
        for number in range(1, KEPT + 5):
            one = KeptRequest(f"{number:016x}", tmp_path)
            one.begin(WORDS, ("/bin/true",), os.environ)
            ended(one)
        assert first.runs
        assert KEPT <= len([*tmp_path.iterdir()]) <= KEPT + 1
    finally:
        os.kill(number_of(first), signal.SIGKILL)
        ended(first)


def test_a_program_that_is_not_there_and_a_place_that_may_not_be_written_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        KeptRequest(ID, tmp_path).begin(WORDS, (str(tmp_path / "absent"),), os.environ)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        KeptRequest(ID, tmp_path / "file").begin(WORDS, tells(), os.environ)


def test_nobody_else_may_read_what_is_kept(tmp_path: Path) -> None:
    request = begin(tmp_path / "requests")
    ended(request)
    assert request.path.stat().st_mode & 0o077 == 0
    assert request.path.parent.stat().st_mode & 0o077 == 0
