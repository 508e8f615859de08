"""A request of another machine is begun once, hears one word, and is known by its id as long as it is kept."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.sharing import kept_requests
from spark_mode.sharing.kept_requests import DROP, EXPIRED, GO, KEPT, KeptRequest
from tests.deep import DEEP

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # what it forks is at once another program
ID = "0123456789abcdef"
WORDS = ("training",)


def python(text: str) -> Callable[[], NoReturn]:
    """Return an act that runs this; at once a program of its own, for this process has threads."""
    return partial(os.execv, sys.executable, (sys.executable, "-c", text))


def tells(*events: str, then: str = "") -> Callable[[], NoReturn]:
    """Return an act that tells of events."""
    lines = "".join(f'print(\'{{"event": "{one}"}}\', flush=True);' for one in events)
    return python(f"import time; {lines} {then}")


def ended(request: KeptRequest) -> None:
    until = time.monotonic() + 20
    while request.runs:
        assert time.monotonic() < until
        time.sleep(0.01)


def begin(folder: Path, act: Callable[[], NoReturn] | None = None) -> KeptRequest:
    request = KeptRequest(ID, folder)
    request.begin(WORDS, act or tells())
    return request


STAYS = tells(then="print(__import__('os').getpid(), flush=True); time.sleep(60)")


def number_of(request: KeptRequest) -> int:
    """Return the number of the process that stays."""
    until = time.monotonic() + 20
    events = request.path / "events"
    while not (said := events.read_text() if events.exists() else "").endswith("\n"):
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
    begun.append(request.begin(WORDS, tells("planned")))


def _hears(request: KeptRequest, word: str, heard: list[str]) -> None:
    heard.append(request.say(word))


def test_it_is_begun_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    request, *others = (KeptRequest(ID, tmp_path) for _ in range(3))
    begun = [one.begin(WORDS, tells("planned")) for one in (request, *others)]
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
        KeptRequest(ID, tmp_path).begin(("audio", "omni"), tells())


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
    request = begin(tmp_path, STAYS)
    pid = number_of(request)
    assert request.runs
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGKILL)
    ended(request)


def test_it_outlives_whoever_asked_and_holds_nothing_of_that_open(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    asks = f"""
import os, sys, time
from pathlib import Path
from spark_mode.sharing.kept_requests import KeptRequest
def act():
    print(os.getpid(), flush=True)
    time.sleep(60)
KeptRequest({ID!r}, Path({str(tmp_path)!r})).begin(("training",), act)
print("begun", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", asks]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(theirs,), process_group=0, text=True) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        request = KeptRequest(ID, tmp_path)
        pid = number_of(request)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout.read() == ""  # nobody has the other end any more
        assert os.read(ours, 1) == b""
    os.close(ours)
    assert request.runs
    opened = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    assert sorted(opened) == sorted([os.devnull, *(str(request.path / name) for name in ("events", "errors", "lock"))])
    os.kill(pid, signal.SIGKILL)
    ended(request)


def test_a_line_that_is_just_being_written_is_no_event(tmp_path: Path) -> None:
    request = begin(tmp_path, tells("planned", then="""print('{"event": "en', end='', flush=True)"""))
    ended(request)
    assert [one["event"] for one in request.events()] == ["planned"]


def test_what_it_wrote_as_errors_is_kept_to_its_end(tmp_path: Path) -> None:
    request = begin(tmp_path, python("import sys; sys.exit('no room')"))
    ended(request)
    assert request.last_words() == "no room"


@pytest.mark.parametrize("name", ["events", "errors"])
def test_where_it_cannot_keep_what_it_tells_it_ends_and_does_not_go_on_as_whoever_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opened = os.open

    def full(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, flags, mode)

    us = os.getpid()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", full)
            request = begin(tmp_path, tells("planned"))
    finally:
        if os.getpid() != us:
            (tmp_path / "went on").touch()
            os._exit(0)
    ended(request)
    assert not (tmp_path / "went on").exists()
    assert request.events() == []


def test_the_oldest_are_forgotten_and_those_that_run_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KEPT if DEEP else 6
    monkeypatch.setattr(kept_requests, "KEPT", kept)
    first = KeptRequest(f"{0:016x}", tmp_path)
    first.begin(WORDS, STAYS)
    try:
        for number in range(1, kept + 5):
            one = KeptRequest(f"{number:016x}", tmp_path)
            one.begin(WORDS, partial(os.execv, "/bin/true", ("true",)))
            ended(one)
        assert first.runs
        assert kept <= len([*tmp_path.iterdir()]) <= kept + 1
    finally:
        os.kill(number_of(first), signal.SIGKILL)
        ended(first)


def test_what_is_no_request_is_left_where_it_is(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        (tmp_path / f"{number:016x}").mkdir()
        (tmp_path / f"of somebody else {number}").mkdir()
    ended(begin(tmp_path))
    kept = {one.name for one in tmp_path.iterdir()}
    assert len([one for one in kept if one.startswith("of somebody else")]) == KEPT + 5
    assert len(kept) == 2 * KEPT + 5


def test_a_place_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        KeptRequest(ID, tmp_path / "file").begin(WORDS, tells())


def test_nobody_else_may_read_what_is_kept(tmp_path: Path) -> None:
    request = begin(tmp_path / "requests")
    ended(request)
    assert request.path.stat().st_mode & 0o077 == 0
    assert request.path.parent.stat().st_mode & 0o077 == 0
