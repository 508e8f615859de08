"""The units of systemd, through systemctl: each call under a deadline, in a session of its own, and never with a question."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit

from spark_mode.engine.doors import UnitFailed, UnitState
from spark_mode.readable import readable

ASK_SECONDS = 5.0
CONNECT_SECONDS = 0.5
SYSTEM = "/usr/bin:/bin"
_ASKED = "LoadState,ActiveState,ActiveEnterTimestamp,NRestarts,CanStart,CanStop"
_UNLOADED = {"not-found": "systemd has no unit {}", "masked": "{} is masked"}
RIGHTS = "sudo spark-mode guard install lets the group docker start and stop it; or use sudo"


class Systemd:
    """Who starts and stops units of this machine. `is_root`: nobody is asked whether root may."""

    def __init__(self, is_root: bool | None = None) -> None:
        self._is_root = os.geteuid() == 0 if is_root is None else is_root

    def state(self, unit: str) -> UnitState:
        told = _told(unit)
        since, restarts = told.get("ActiveEnterTimestamp", "").removeprefix("@"), told.get("NRestarts", "")
        return UnitState(
            load=told.get("LoadState", ""),
            active=told.get("ActiveState", ""),
            since=float(since) if since.isdecimal() else 0.0,
            restarts=int(restarts) if restarts.isdecimal() else 0,
            refuses=frozenset(verb for verb in ("start", "stop") if told.get(f"Can{verb.title()}") == "no"),
        )

    def start(self, unit: str, seconds: float) -> None:
        _systemctl(seconds, "start", unit)

    def stop(self, unit: str, seconds: float) -> None:
        _systemctl(seconds, "stop", unit)

    def fault(self, unit: str, verb: Literal["start", "stop"]) -> str | None:
        seen = self.state(unit)
        return _unusable(unit, verb, seen) or (None if self._is_root else _forbidden(unit, verb, seen))

    def listens(self, address: str) -> bool:
        at = urlsplit(address)
        with suppress(OSError):
            socket.create_connection((at.hostname or "", at.port or 80), CONNECT_SECONDS).close()
            return True
        return False


def _unusable(unit: str, verb: str, seen: UnitState) -> str | None:
    """Return what is in the way of everybody."""
    if not seen.load:
        return f"systemd cannot be asked about {unit}: is this machine run by it?"
    if seen.load != "loaded":
        return _UNLOADED.get(seen.load, "{} cannot be used: systemctl status {}").format(unit, unit)
    if verb in seen.refuses:
        return f"{unit} is one that systemd lets nobody {verb} by hand"
    if verb == "stop" and not seen.is_active:
        return f"{unit} does not run, and somebody else listens at its address: stop that yourself"
    return None


def _forbidden(unit: str, verb: str, seen: UnitState) -> str | None:
    """Return why this user may not.

    That is asked by having the unit be as it is, without anything that depends on it: what is active is told to start, what is
    not to stop. polkit answers before systemd finds that there is nothing to do, and the right is one for both.
    """
    as_it_is = {"active": "start", "inactive": "stop"}.get(seen.active)
    try:
        if as_it_is:
            _systemctl(ASK_SECONDS, as_it_is, "--job-mode=ignore-dependencies", unit)
    except UnitFailed as error:
        return f"you may not {verb} {unit}: {error}; {RIGHTS}"
    return None


def _told(unit: str) -> dict[str, str]:
    """Return what systemd says of a unit, by property; nothing where it cannot be asked."""
    try:
        said = _systemctl(ASK_SECONDS, "show", "--timestamp=unix", f"--property={_ASKED}", unit)
    except UnitFailed:
        return {}
    return dict(line.partition("=")[::2] for line in said.splitlines())


def _systemctl(seconds: float, *arguments: str) -> str:
    """Run systemctl, of an absolute path and with nothing of the caller's environment, and return its output."""
    path = ":".join([*(one for one in os.environ.get("PATH", "").split(":") if one.startswith("/")), SYSTEM])
    program = shutil.which("systemctl", path=path)
    if program is None:
        raise UnitFailed("there is no systemctl here")
    try:
        done = subprocess.run(
            [program, "--no-ask-password", "--no-pager", *arguments],
            check=False,
            env={"PATH": path, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            start_new_session=True,  # Ctrl-C is for the switch
        )
    except subprocess.TimeoutExpired:
        raise UnitFailed(f"systemctl {arguments[0]} did not end within {seconds:g} s") from None
    except OSError as error:
        raise UnitFailed(f"{program}: {error.strerror}") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"systemctl {arguments[0]} ended with exit code {done.returncode}"]
        raise UnitFailed(readable(said[0])[:200])  # a line of where to look comes after it
    return done.stdout
