"""Requests that come from another machine, each in a folder of its own: what was asked, its word, and what came of it.

Whoever asked may be cut off at any moment. A request with the same id is the same request: it is begun once, and followed as
often as somebody asks.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from spark_mode.atomic_file import replace_file
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.plain_file import fault, read_plain
from spark_mode.sharing.directories import own_directory

FORM = r"[0-9a-f]{16}(-back)?"
GO, DROP, EXPIRED = "go", "drop", "expired"
"""The words that a request may wait for; the last one it says itself, when nobody has."""
KEPT = 50
"""How many requests are kept at most; those that run count, too, and always are."""
LARGEST = 1 << 24
_ROOM = "make room, or make it writable"


class KeptRequest:
    """One request. `path` is its folder, of this user alone."""

    def __init__(self, name: str, requests: Path | None = None) -> None:
        if not re.fullmatch(FORM, name):
            raise UsageFault(f'"{name[:40]}" is no id of a request', "spark-mode -H makes one for each")
        self.name = name
        self._process: int | None = None
        self.path = (requests or own_directory() / "requests") / name

    @property
    def words(self) -> tuple[str, ...] | None:
        """What was asked; None where nothing was. Raises ConfigurationError."""
        text = self._read("words")
        return None if text is None else tuple(json.loads(text))

    def begin(self, words: Sequence[str], act: Callable[[], NoReturn]) -> bool:
        """Begin an act for these words in a session of its own, and return whether it is new: else it was begun before.

        What it prints is kept. It is done by a copy of this process, which has imported much of what it needs, and must have no
        other thread. Raises UsageFault where the id was given to other words, ConfigurationError where it cannot be.
        """
        try:
            lock = self._claim(words)
        except OSError as error:
            raise ConfigurationError(*fault(self.path, error, _ROOM)) from None
        if lock is None:
            if self.words != tuple(words):
                raise UsageFault(f"the id {self.name} was given to another request", "ask again, without an id")
            return False
        try:
            self._process = os.fork()
        except OSError as error:
            os.close(lock)
            raise ConfigurationError(f"no process can be had: {error.strerror}", "see which there are: ps -e") from None
        if self._process == 0:
            self._act_alone(lock, act)
        os.close(lock)
        self._forget_others()
        return True

    def _act_alone(self, lock: int, act: Callable[[], NoReturn]) -> NoReturn:
        """Be the copy, and never go on as whoever asked: it ends here, whatever fails in it."""
        try:
            self._leave_who_asked(lock)
            act()
        finally:
            os._exit(1)

    def _leave_who_asked(self, lock: int) -> None:
        """Have nothing in common with whoever asked: a session of its own, its own streams, and no descriptor but the lock."""
        os.setsid()
        kept = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        for number, (name, flags) in enumerate(((os.devnull, os.O_RDONLY), ("events", kept), ("errors", kept))):
            os.dup2(os.open(self.path / name, flags, 0o600), number)
        os.closerange(3, lock)
        os.closerange(lock + 1, os.sysconf("SC_OPEN_MAX"))
        os.set_inheritable(lock, True)

    def _claim(self, words: Sequence[str]) -> int | None:
        """Make the folder, and return the lock in it, held as long as the request runs; None where the folder is there."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.path.with_name(f".{self.name}.{os.urandom(4).hex()}")
        new.mkdir(mode=0o700)
        lock = os.open(new / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (new / "words").write_text(json.dumps(list(words)))
            new.rename(self.path)  # over nothing: a folder that is there has files in it
        except FileExistsError:
            pass
        except OSError as error:
            if not self.path.is_dir():
                os.close(lock)
                raise error from None
        else:
            return lock
        os.close(lock)
        shutil.rmtree(new)
        return None

    @property
    def runs(self) -> bool:
        """Whether its command still runs: the kernel lets go of the lock when it has ended, however it did."""
        with suppress(FileNotFoundError):
            lock = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(lock)
        if self._process:
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)  # it is just ending: whoever has begun it takes note of that
            self._process = None
        return False

    def say(self, word: str) -> str:
        """Say a word to it, and return the one that counts: the first one that was said. Raises ConfigurationError."""
        with suppress(FileExistsError):
            try:
                replace_file(self.path / "word", word.encode(), 0o600, over=False)
            except FileExistsError:
                raise
            except OSError as error:
                raise ConfigurationError(*fault(self.path / "word", error, _ROOM)) from None
        return self.word or word

    @property
    def word(self) -> str | None:
        """The word that was said; None where none was. Raises ConfigurationError."""
        text = self._read("word")
        return None if text is None else text.decode()

    def events(self) -> list[dict[str, Any]]:
        """Return what it has told by now. Raises ConfigurationError."""
        return list(_objects(self._read("events") or b""))

    def last_words(self) -> str:
        """Return the end of what it wrote as errors."""
        return (self._read("errors") or b"").decode(errors="replace").strip()[-2000:]

    def _read(self, name: str) -> bytes | None:
        try:
            return read_plain(self.path / name, follow=False, most=LARGEST)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(*fault(self.path / name, error, "make it readable")) from None

    def _forget_others(self) -> None:
        """Remove the oldest of those that have ended."""
        with suppress(OSError):  # a folder too many does no harm
            names = ((one, one.name.lstrip(".").partition(".")[0]) for one in self.path.parent.iterdir())
            ours = {one: name for one, name in names if re.fullmatch(FORM, name)}  # nobody knows what else is there
            for one in sorted(ours, key=lambda folder: folder.stat().st_mtime)[:-KEPT]:
                if not KeptRequest(ours[one], self.path.parent)._is_at_work(one):
                    shutil.rmtree(one)

    def _is_at_work(self, folder: Path) -> bool:
        return folder == self.path and self.runs


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        with suppress(ValueError):  # one that is just being written
            found = json.loads(line)
            if isinstance(found, dict):
                yield found
