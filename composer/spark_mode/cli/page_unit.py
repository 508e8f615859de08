"""The page as a service of its user's own systemd: put in place and taken away by one command."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from spark_mode.enforcement.own_file import put, remove, require_ours
from spark_mode.enforcement.unit import ROOT, RUNNING, command_line, lab_flags, require_systemd, systemctl, word
from spark_mode.lab.files import LabFiles
from spark_mode.own_command import own_command
from spark_mode.plain_file import plain_text

NAME = "spark-mode-page.service"
FOLDER = "systemd/user"
WANTS = "default.target.wants"
MARK = "# Written by: spark-mode page install"
IN_FRONT = "run it in the foreground: spark-mode page"
BUS = "log in as this user itself, not by sudo or su: systemctl --user status"
UNIT = """{mark}
[Unit]
Description=spark-mode page of {folder}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
WorkingDirectory={folder}
Restart=on-failure
RestartSec=5
KillMode=process
OOMPolicy=continue
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""
"""A switch that the page has begun goes on when the page ends, or is killed: hence KillMode and OOMPolicy."""


def unit_path() -> Path:
    """Return where systemd looks for what a user wants started (systemd.unit(5))."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / FOLDER / NAME


def unit_text(files: LabFiles, options: Sequence[str]) -> str:
    """Return the unit that runs the page of a lab with these options. Raises ConfigurationError as the guard's does."""
    folder = str(Path(files.rules).parent)
    command = command_line([*own_command(), *lab_flags(files, files.project_name), "page", *options], folder)
    return UNIT.format(mark=MARK, command=command, folder=folder.replace("%", "%%"))


def install(files: LabFiles, options: Sequence[str], root: Path = ROOT) -> Path:
    """Write the unit, and have this user's systemd start it now and whenever he logs in. Raises ConfigurationError."""
    require_systemd(root, IN_FRONT)
    path = unit_path()
    require_ours(path, MARK)
    put(path, unit_text(files, options), 0o644, "set XDG_CONFIG_HOME to a directory that you may write")
    for words in (("daemon-reload",), ("enable", NAME), ("restart", NAME)):
        systemctl("--user", *words, hint=BUS)
    return path


def is_installed() -> bool:
    """Whether a unit is there that calls this installation."""
    text = plain_text(unit_path()) or ""
    return MARK in text and word(sys.executable) in text


def uninstall(root: Path = ROOT) -> bool:
    """Stop the page and take its unit away; return whether it was there. Raises ConfigurationError as `install` does."""
    path = unit_path()
    if not os.path.lexists(path):
        return False
    require_ours(path, MARK)
    is_running = (root / RUNNING).is_dir()
    if is_running:
        systemctl("--user", "disable", "--now", NAME, hint=BUS)
    else:
        (path.parent / WANTS / NAME).unlink(missing_ok=True)
    remove(path, MARK, "use sudo")
    if is_running:
        systemctl("--user", "daemon-reload", hint=BUS)
    return True
