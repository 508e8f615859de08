"""The guard as a service of systemd: installed and removed by one command, started at boot, restarted when it ends."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from spark_mode.enforcement.own_file import put, remove, require_ours
from spark_mode.errors import ConfigurationError, EngineUnavailable, UsageFault
from spark_mode.lab.files import LabFiles
from spark_mode.own_command import own_command
from spark_mode.plain_file import plain_text
from spark_mode.sharing.directories import shared_directories

FOLDER = Path("etc/systemd/system")
WANTS = "multi-user.target.wants"
"""Beside the units, the links to those that start at a boot."""
RUNNING = Path("run/systemd/system")
"""There while systemd runs this machine (sd_booted(3)). Both below the root of the file system."""
ROOT = Path("/")
RIGHTS = Path("etc/polkit-1/rules.d")
"""Where polkit looks for rules (polkit(8)), below the root of the file system as well."""
RIGHTS_MARK = "// Written by: spark-mode guard install"
MAY = """{mark}
// Who may use Docker may start and stop what serves models to this lab, and nothing else.
polkit.addRule(function(action, subject) {{
    if (action.id == "org.freedesktop.systemd1.manage-units" && subject.isInGroup("docker") &&
        {units}.indexOf(action.lookup("unit")) >= 0 && ["start", "stop"].indexOf(action.lookup("verb")) >= 0) {{
        return polkit.Result.YES;
    }}
}});
"""
PREFIX, SUFFIX = "spark-mode-guard@", ".service"
MARK = "# Written by: spark-mode guard install"
SECONDS = 60.0
UNIT = """{mark}
[Unit]
Description=spark-mode guard of {project}: what its rules keep apart is never active together
After=docker.service
Wants=docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
WorkingDirectory={folder}
Restart=always
RestartSec=1
WatchdogSec=15min
TimeoutStopSec=330
OOMScoreAdjust=-900
MemoryMax=256M
Group=docker
UMask=0007
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
ProtectSystem=strict
ReadWritePaths={shared}
ProtectHome=read-only
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""
"""It is started again for as long as it takes: by default systemd gives a service up that fails five times in ten seconds.
A shared directory that is missing is for the guard to say, not for systemd: hence the dash before each."""


def unit_name(project: str) -> str:
    """Return the name of the unit that guards a project. Compose's names need no escape there (systemd.unit(5))."""
    return f"{PREFIX}{project}{SUFFIX}"


def unit_text(files: LabFiles, project: str, folder: Path) -> str:
    """Return the unit that guards the lab of these files as this project, from a folder, with this Python.

    Raises ConfigurationError for a name that a unit's lines cannot hold.
    """
    return UNIT.format(
        mark=MARK,
        project=project,
        command=command_line([*own_command(), *lab_flags(files, project), "guard"], str(folder)),
        folder=str(folder).replace("%", "%%"),
        shared=" ".join(f"-{path}" for path in shared_directories()),
    )


def command_line(words: Sequence[str], folder: str) -> str:
    """Return a command for a unit that runs it in this folder.

    Raises ConfigurationError for a name that a unit's lines cannot hold.
    """
    unwritable = [one for one in (*words, folder) if not one.isprintable()]
    if unwritable:
        raise ConfigurationError(f"{unwritable[0]!r} cannot stand in a unit", "give it a name without control characters")
    return " ".join(map(word, words))


def lab_flags(files: LabFiles, project: str | None) -> Sequence[str]:
    """Return the flags that name a lab wherever they are given: everything that found it this time, written out.

    Rules that name several projects name all of it.
    """
    if files.others:
        return ["--rules", files.rules]
    flags = [("--file", file) for file in files.compose] + [("--env-file", file) for file in files.env_files]
    if files.project_directory:
        flags.append(("--project-directory", files.project_directory))
    if project:
        flags.append(("--project-name", project))
    return [one for flag in (*flags, ("--rules", files.rules)) for one in flag]


def word(text: str) -> str:
    """Return a text as one word of a command line of systemd (systemd.service(5)): `%` and `$` mean something there."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def rights_path(project: str, root: Path = ROOT) -> Path:
    """Return where the rights of a project's users lie."""
    return root / RIGHTS / f"50-spark-mode-{project}.rules"


def _grant(project: str, units: Sequence[str], root: Path) -> None:
    """Let the group docker start and stop these units; where there are none, take away what was granted before."""
    path = rights_path(project, root)
    if units:
        require_ours(path, RIGHTS_MARK)
        put(path, MAY.format(mark=RIGHTS_MARK, units=json.dumps(list(units))), 0o644, "use sudo")
    else:
        remove(path, RIGHTS_MARK, "use sudo")


def install(files: LabFiles, project: str, folder: Path, root: Path = ROOT, units: Sequence[str] = ()) -> Path:
    """Write the unit, and have systemd start it now and at every boot; the group docker may start and stop the lab's own `units`.

    Raises ConfigurationError where there is no systemd, or nothing may be written.
    """
    require_systemd(root)
    name = unit_name(project)
    path = root / FOLDER / name
    require_ours(path, MARK)
    put(path, unit_text(files, project, folder), 0o644, "use sudo")
    _grant(project, units, root)
    systemctl("daemon-reload")
    systemctl("enable", name)
    systemctl("restart", name)
    return path


def uninstall(project: str | None, root: Path = ROOT) -> str | None:
    """Stop the service of a project, or the only one, and take its unit away; return its name, None where it was not there.

    Raises UsageFault where there are several and none is named, and ConfigurationError as `install` does.
    """
    require_systemd(root)
    there = [path.name for path in sorted((root / FOLDER).glob(f"{PREFIX}*{SUFFIX}"))]
    names = [one for one in there if project is None or one == unit_name(project)]
    if not names:
        return None
    if len(names) > 1:
        raise UsageFault(f"there are several: {', '.join(names)}", "name one: spark-mode -p PROJECT guard uninstall")
    _take_away(root / FOLDER / names[0], root)
    return names[0]


def is_installed(project: str, root: Path = ROOT) -> bool:
    """Whether systemd is to run a guard for this project."""
    return (root / FOLDER / unit_name(project)).exists()


def restart(name: str) -> None:
    """Have systemd run a guard anew, by the program that is installed now. Raises ConfigurationError as `install` does."""
    require_systemd(ROOT)
    systemctl("restart", name)


def installed(root: Path = ROOT) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the units that call this installation, each with what stops the guard and takes its unit away.

    Where systemd does not run, as in the tree of a container, there is nothing to stop.
    """
    for path in sorted((root / FOLDER).glob(f"{PREFIX}*{SUFFIX}")):
        if word(sys.executable) in (plain_text(path) or ""):
            yield path.name, partial(_take_away, path, root)


def _take_away(path: Path, root: Path) -> None:
    require_ours(path, MARK)
    is_running = (root / RUNNING).is_dir()
    if is_running:
        systemctl("disable", "--now", path.name)
    else:
        (path.parent / WANTS / path.name).unlink(missing_ok=True)
    remove(path, MARK, "use sudo")
    _grant(path.name.removeprefix(PREFIX).removesuffix(SUFFIX), (), root)
    if is_running:
        systemctl("daemon-reload")


def require_systemd(root: Path, hint: str = "run the guard in the foreground: spark-mode guard") -> None:
    """Raise ConfigurationError, with this hint, where systemd does not run the machine."""
    if not (root / RUNNING).is_dir():
        raise ConfigurationError("systemd does not run this machine", hint)


def systemctl(verb: str, *arguments: str, hint: str = f"systemctl status '{PREFIX}*'") -> None:
    """Have systemd do something. Raises ConfigurationError where it does not, and EngineUnavailable where it does not answer."""
    try:
        done = subprocess.run(["systemctl", verb, *arguments], check=False, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(f"systemctl {verb} did not end within {SECONDS:g} s", hint) from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ConfigurationError(f"systemctl {verb}: {said[-1]}", hint)
