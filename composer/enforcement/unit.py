"""The guard as a service of systemd: installed and removed by one command, started at boot, restarted when it ends."""

import subprocess
import sys
from pathlib import Path

from composer.enforcement.own_file import put, remove, require_ours
from composer.errors import ConfigurationError, EngineUnavailable

NAME = "spark-mode-guard.service"
FOLDER = Path("/etc/systemd/system")
RUNNING = Path("/run/systemd/system")
"""There while systemd runs this machine (sd_booted(3))."""
MARK = "# Written by: spark-mode guard install"
SECONDS = 60.0
UNIT = """{mark}
[Unit]
Description=spark-mode guard: training and audio are never active together
After=docker.service
Wants=docker.service

[Service]
Type=notify
ExecStart={python} -m composer.cli --rules {rules} guard
WorkingDirectory={lab}
Restart=always
RestartSec=1
WatchdogSec=15min
TimeoutStopSec=330
OOMScoreAdjust=-900
MemoryMax=256M
Group=docker
UMask=0007
RuntimeDirectory=spark-mode
RuntimeDirectoryMode=2770
RuntimeDirectoryPreserve=yes
StateDirectory=spark-mode
StateDirectoryMode=2770
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
ProtectSystem=strict
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


def unit_text(lab: Path, rules: str) -> str:
    """Return the unit that guards the lab in a folder by these rules, with this Python."""
    python, named = _word(sys.executable), _word(rules)
    return UNIT.format(mark=MARK, python=python, rules=named, lab=str(lab).replace("%", "%%"))


def _word(text: str) -> str:
    """Return a text as one word of a command line of systemd (systemd.service(5)): `%` and `$` mean something there."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def install(lab: Path, rules: str) -> Path:
    """Write the unit, and have systemd start it now and at every boot.

    Raises ConfigurationError where there is no systemd, or nothing may be written.
    """
    _require_systemd()
    path = FOLDER / NAME
    require_ours(path, MARK)
    put(path, unit_text(lab, rules), 0o644, "use sudo")
    _systemctl("daemon-reload")
    _systemctl("enable", NAME)
    _systemctl("restart", NAME)
    return path


def uninstall() -> bool:
    """Stop the service and take the unit away; return whether it was there. Raises ConfigurationError as `install` does."""
    _require_systemd()
    path = FOLDER / NAME
    require_ours(path, MARK)
    if path.exists():
        _systemctl("disable", "--now", NAME)
    there = remove(path, MARK, "use sudo")
    _systemctl("daemon-reload")
    return there


def _require_systemd() -> None:
    if not RUNNING.is_dir():
        raise ConfigurationError("systemd does not run this machine", "run the guard in the foreground: spark-mode guard")


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(["systemctl", *arguments], check=False, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(
            f"systemctl {arguments[0]} did not end within {SECONDS:g} s", f"systemctl status {NAME}"
        ) from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ConfigurationError(f"systemctl {arguments[0]}: {said[-1]}", f"systemctl status {NAME}")
