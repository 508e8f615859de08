"""What an installation has put on this machine, in the order in which it is taken away again.

Gates first: without their program every plain `up` of their labs would fail. Then guards, which act; then what only offers
itself, the page, the plugin and completions; and the state last, because all of the others are remembered there.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from spark_mode.cli import page_unit
from spark_mode.cli.installation import is_packaged, own_files
from spark_mode.enforcement import gate_file, shared, unit
from spark_mode.enforcement.known_gates import known_gates
from spark_mode.enforcement.own_file import remove
from spark_mode.errors import ConfigurationError, LockBusy
from spark_mode.session.set_lab import lab_setting
from spark_mode.sharing.directories import own_directory, shared_directories
from spark_mode.sharing.lock import who_switches


class Part(NamedTuple):
    """Something to take away, and what does that; it raises SparkModeError where it cannot."""

    what: str
    undo: Callable[[], object]


def parts(cli: click.Command, with_state: bool) -> Iterator[Part]:
    """Yield what there is, of this installation alone."""
    is_root = os.geteuid() == 0
    for folder in _gates():
        yield Part(f"the gate of {folder}", partial(gate_file.uninstall, folder))
    for name, undo in unit.installed():
        yield Part(f"the guard {name}", undo)
    if page_unit.is_installed():
        yield Part(f"the page {page_unit.NAME}", page_unit.uninstall)
    for system in (False, True):
        for one in own_files(system, cli):
            if one.is_there:
                yield Part(str(one.path), partial(remove, one.path, one.mark, "use sudo"))
    yield from _shared(with_state) if is_root and not is_packaged() else ()
    for path in _own(is_root) if with_state else ():
        yield Part(str(path), partial(_remove, path))


def require_idle(with_state: bool) -> None:
    """Raise LockBusy while a switch runs, and Refused where something would be forgotten that is unfinished or held."""
    is_root = os.geteuid() == 0
    locks, state = shared_directories()
    for folder in (locks, *_states(is_root)):
        if folder.is_dir() and (who := who_switches(folder)):
            raise LockBusy(who, "wait for its end")
    if is_root and not is_packaged():
        shared.require_finished(locks, state)
    for folder in _states(is_root) if with_state else ():
        shared.require_finished(folder, folder)


def owed() -> list[str]:
    """Return what gives containers back the restart policies that switches took from them."""
    states = [shared_directories()[1], *_states(os.geteuid() == 0)]
    return [command for state in dict.fromkeys(states) for command in shared.give_back_by_hand(state)]


def _gates() -> list[Path]:
    folders = [folder for state in (shared_directories()[1], *_states(os.geteuid() == 0)) for folder in known_gates(state)]
    return list(dict.fromkeys(folders))


def _states(is_root: bool) -> list[Path]:
    """Return the states that users have of their own: that of who asks, and for root also of who called sudo."""
    own: list[Path] = []
    with suppress(ConfigurationError):
        own.append(own_directory())
    return list(dict.fromkeys([*own, *(shared.users_directories() if is_root else ())]))


def _shared(with_state: bool) -> Iterator[Part]:
    there = [path for path in (*shared_directories(), Path("/") / shared.TMPFILES) if os.path.lexists(path)]
    kept = shared.kept_state()
    if there:
        what = "" if with_state else f", kept as {kept}"
        yield Part(f"{' and '.join(map(str, there))}, which all users share{what}", shared.take_down)
    if with_state and (there or kept.exists()):
        yield Part(str(kept), partial(_remove, kept))


def _own(is_root: bool) -> Iterator[Path]:
    """Yield what is the own of who asks: journals, measurements, caches, and which lab is used from anywhere."""
    own = [path for path in _states(is_root)[:1] if path.is_dir()]
    yield from own
    if lab_setting(os.environ).is_file():
        yield lab_setting(os.environ)


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}", "use sudo") from None
