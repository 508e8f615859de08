"""A `systemctl` that knows one unit: it starts and stops a process of this machine, and writes down what it is told."""

import json
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import hosted

UNIT = "stand-in-models.service"
SCRIPT = """#!/bin/sh
cd {folder}
echo "$*" >> told
for unit; do :; done
for verb; do case $verb in show|start|stop) break;; esac; done
pid=$(cat pid 2>/dev/null)
runs() {{ [ -n "$pid" ] && [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status; }}
if [ -e denied ] && [ $verb != show ]; then
    echo "Failed to $verb $unit: Interactive authentication required." >&2
    echo "See system logs and 'systemctl status $unit' for details." >&2
    exit 1
fi
[ -e slow ] && sleep 30
case $verb in
show)
    load=loaded active=inactive
    [ $unit = {unit} ] || load=not-found
    [ -e masked ] && load=masked
    runs && active=active
    since=$(stat -c %Y pid 2>/dev/null)
    [ -e refusing ] && echo CanStop=no
    printf 'LoadState=%s\\nActiveState=%s\\nActiveEnterTimestamp=@%s\\nNRestarts=0\\n' $load $active $since;;
start)
    runs && exit 0
    setsid {command} > log 2>&1 < /dev/null & echo $! > pid;;
stop)
    runs && kill $pid
    while runs; do sleep 0.02; done
    rm -f pid;;
esac
"""


class FakeSystemd:
    """Where it lies (`programs`, for a PATH), and the address of what its unit serves once it runs."""

    def __init__(self, folder: Path, sizes: Mapping[str, int]) -> None:
        self.folder, self.programs = folder, folder / "bin"
        for one in (self.programs, folder / "models"):
            one.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-P", hosted.__file__, str(self.port), str(folder / "models"), json.dumps(dict(sizes))]
        program = self.programs / "systemctl"
        program.write_text(SCRIPT.format(folder=shlex.quote(str(folder)), unit=UNIT, command=shlex.join(command)))
        program.chmod(0o755)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_(self, fault: str, so: bool = True) -> None:
        """Have it deny all starts and stops (`denied`), or be `slow`; have its unit `masked`, or `refusing` to be stopped. Or no
        more.
        """
        if so:
            (self.folder / fault).touch()
        else:
            (self.folder / fault).unlink()

    def told(self) -> list[str]:
        """Return the starts and stops that it was told, each by its verb and options."""
        path = self.folder / "told"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix("--no-ask-password --no-pager ") for line in lines if " show " not in line]
