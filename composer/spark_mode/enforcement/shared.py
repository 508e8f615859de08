"""One lock and one journal for all users of a machine: made once by root, and by systemd-tmpfiles at every boot.

`/run` is empty after a boot. Without the file for systemd-tmpfiles the lock's directory would be gone then, and every
command would refuse.
"""

import grp
import os
import pwd
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spark_mode.enforcement.own_file import put, remove, require_ours
from spark_mode.errors import ConfigurationError, LockBusy, Refused
from spark_mode.journal.journal import JournalFailed, JournalState, journal_state
from spark_mode.journal.journal_file import JournalFile
from spark_mode.sharing.commands import Commands
from spark_mode.sharing.directories import SHARED_LOCKS, SHARED_STATE, STATE_OF_A_USER, shared_directories
from spark_mode.sharing.leases import Leases
from spark_mode.sharing.shared_file import takes

TMPFILES = Path("etc/tmpfiles.d/spark-mode.conf")
PACKAGED_TMPFILES = Path("usr/lib/tmpfiles.d/spark-mode.conf")
GROUP = "docker"
"""Whoever may use Docker may take part in its switches."""
MARK = "# Written by: spark-mode setup --shared"
FIX = "use sudo"
MODE = 0o2770


def set_up(root: Path = Path("/"), group: str = GROUP, private: Iterable[Path] = ()) -> Path:
    """Make the directories below a root for the users of a group, now and at every boot; return the file that says so.

    `private` are directories of users, which count no longer from now on. Raises LockBusy or Refused while
    something runs or is unfinished there, and ConfigurationError when something else lies where ours go, there is no such
    group, or root is needed.
    """
    conf = root / TMPFILES
    require_ours(conf, MARK)
    locks, state = shared_directories(root)
    kept = kept_state(root)
    for own in private:
        with _nobody_uses(own):
            require_finished(own, own)
    try:
        if kept.exists() and not os.path.lexists(state):
            kept.rename(state)
        for folder in (locks, state):
            _make(folder, _group_id(group))
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}", FIX) from None
    if of_the_package(root):
        return root / PACKAGED_TMPFILES
    put(conf, tmpfiles_text(group), 0o644, FIX)
    return conf


def tmpfiles_text(group: str = GROUP) -> str:
    """Return what systemd-tmpfiles shall make at every boot (tmpfiles.d(5))."""
    return f"{MARK}\n" + "".join(f"d /{path} {MODE:o} root {group} -\n" for path in (SHARED_LOCKS, SHARED_STATE))


def comes_back(root: Path = Path("/")) -> bool:
    """Whether a boot makes the directories: the file is there, from us or from a package of the system."""
    return (root / TMPFILES).is_file() or of_the_package(root)


def of_the_package(root: Path = Path("/")) -> bool:
    """Whether a package of the system has a boot make the directories: they come and go with it."""
    return (root / PACKAGED_TMPFILES).is_file()


def take_down(root: Path = Path("/")) -> bool:
    """Take the directories away, so that each user has a lock and a journal again; return whether they were there.

    The state is put aside and not removed. Raises LockBusy or Refused while something runs, is unfinished or is held there,
    and ConfigurationError as `set_up` does. It may be killed anywhere and asked for again: no boot makes the directories
    anew once the state was put aside.
    """
    conf = root / TMPFILES
    require_ours(conf, MARK)
    if of_the_package(root):
        raise ConfigurationError("the package spark-mode has a boot make them", "they go with it: sudo apt remove spark-mode")
    locks, state = shared_directories(root)
    there = any(os.path.lexists(path) for path in (locks, state, conf))
    try:
        with _nobody_uses(locks):
            require_finished(locks, state)
            _require_room(state, kept_state(root))
            remove(conf, MARK, FIX)
            if state.is_dir():
                state.rename(kept_state(root))
            if locks.is_dir():
                shutil.rmtree(locks)
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}", FIX) from None
    return there


def give_back_by_hand(state: Path) -> list[str]:
    """Return the commands that give containers back the restart policies which a state that counts no longer says are owed."""
    owed = [one for path in sorted(state.glob("*.journal")) for one in _past(path).policies.values()]
    return [f"docker update --restart {one.policy}{f':{one.retries}' * bool(one.retries)} {one.container[:12]}" for one in owed]


def kept_state(root: Path = Path("/")) -> Path:
    """Return where the state is put aside, so that holds and what containers are owed are there after the next set-up."""
    state = root / SHARED_STATE
    return state.with_name(f"{state.name}.kept")


def _group_id(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigurationError(f"there is no group {group}", f"install Docker, or: sudo groupadd {group}") from None


def _make(folder: Path, group: int) -> None:
    """Make a directory, or give one that is there its owner and mode. Raises OSError."""
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, os.geteuid(), group)
        os.fchmod(descriptor, MODE)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        os.close(descriptor)


def private_directories(root: Path = Path("/")) -> Iterator[Path]:
    """Yield where root and the user who called sudo have their own state, in the usual place, until there is a shared one."""
    if not os.path.lexists(root / SHARED_STATE):
        yield from users_directories()


def users_directories() -> Iterator[Path]:
    """Yield where root and the user who called sudo keep, or kept, a state of their own, in the usual place."""
    for uid in {"0", os.environ.get("SUDO_UID", "0")}:
        with suppress(KeyError, ValueError):
            yield Path(pwd.getpwuid(int(uid)).pw_dir) / STATE_OF_A_USER / "spark-mode"


@contextmanager
def _nobody_uses(locks: Path) -> Iterator[None]:
    """Hold every lock that is there meanwhile. Raises LockBusy for one that a switch, a guard or a gate holds."""
    held: list[int] = []
    try:
        for path in (locks, *sorted(locks.glob("*.lock"))) if locks.is_dir() else ():
            held.append(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
            if not takes(held[-1]):
                wait = "wait for its end; a guard is ended by: spark-mode guard uninstall"
                raise LockBusy(f"{path} is held: a switch or a guard runs", wait)
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)


def _require_room(state: Path, kept: Path) -> None:
    """Raise ConfigurationError when the state would be put where another one is that was put aside, and not taken back."""
    if state.is_dir() and kept.is_dir() and any(kept.iterdir()):
        message = f"{kept} is there already, from an earlier time, and nothing in it is written over"
        raise ConfigurationError(message, f"move it away first: mv {kept} {kept}.old")


def require_finished(locks: Path, state: Path) -> None:
    """Raise Refused for what would be forgotten, or is about to start: see `_unfinished`, and plain Compose's starts."""
    for path in sorted(state.glob("*.journal")):
        if unfinished := _unfinished(_past(path)):
            why, verb = unfinished
            raise Refused(f"{path}: {why}", f"first, in that lab: spark-mode {verb}; if it is gone: mv {path} {path}.old")
    for path in sorted(locks.glob("*commands.json")):
        if running := Commands(path).live():
            raise Refused(f"the command {running[0]}", "wait for its end")
    for path in sorted(locks.glob("*leases.json")):
        if live := Leases(path).live():
            raise Refused(f"{live[0].service} is about to start, by process {live[0].pid}", "wait until it is started")


def _past(journal: Path) -> JournalState:
    try:
        return journal_state(JournalFile(journal).records())
    except JournalFailed as error:
        raise ConfigurationError(str(error), error.fix) from None


def _unfinished(known: JournalState) -> tuple[str, str] | None:
    """Return what of a journal is unfinished, is held or still to come, and the verb that ends that."""
    if known.unfinished or known.unreadable:
        why = known.unfinished or f"{known.unreadable} records are not understood, and may be of an unfinished switch"
        return str(why), "recover"
    if known.holds:
        return "; ".join(map(str, known.holds)), "release"
    if known.restores:
        return "what ran before training is still to come back", "restore"
    return None
