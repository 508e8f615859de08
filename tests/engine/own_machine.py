"""This machine with a /run, /etc and /var/lib of its own to write to: the engine is the same, and nothing of it stays.

Nor does it have what its users keep of labs of theirs: a guard of one of them would be in the way.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.lab import ROOT, Lab

SOCKET = Path("/run/docker.sock")
LAYERS = """
mount -t tmpfs tmpfs "$1"
touch "$1/socket" && mount --bind /run/docker.sock "$1/socket"
for folder in run etc var/lib usr/local; do
    own=$1/$(basename $folder)
    mkdir "$own" "$own/upper" "$own/work"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$own/upper,workdir=$own/work" "/$folder"
done
mount --bind "$1/socket" /run/docker.sock
for own in /root/.local/state/spark-mode /home/*/.local/state/spark-mode; do
    if [ -d "$own" ]; then mount -t tmpfs tmpfs "$own"; fi
done
rm -rf /run/spark-mode /var/lib/spark-mode* /etc/tmpfiles.d/spark-mode.conf
echo ready
exec cat
"""


class OwnMachine:
    """A mount namespace, for as long as `keeper` runs."""

    def __init__(self, keeper: "subprocess.Popen[str]") -> None:
        self.mounts = Path(f"/proc/{keeper.pid}/ns/mnt")
        self._enter = ("nsenter", f"--target={keeper.pid}", "--mount", f"--wdns={ROOT}")

    def run(self, *command: str) -> str:
        """Run a command there, as root; it must succeed. Return what it printed."""
        return subprocess.run([*self._enter, *command], check=True, capture_output=True, text=True).stdout

    def command(self, *command: str) -> list[str]:
        """Return a command line that does there what this one does."""
        return [*self._enter, *command]


class LabThere(Lab):
    """A lab that is used on a machine of its own."""

    def __init__(self, project: str, home: Path, machine: OwnMachine) -> None:
        super().__init__(project, home)
        self.machine, self.namespace = machine, machine.mounts

    def arguments(self, *arguments: str) -> list[str]:
        return self.machine.command(*super().arguments(*arguments))


@contextmanager
def own_machine(folder: Path) -> Iterator[OwnMachine]:
    """Have a machine below an empty folder. Skips the test where that cannot be."""
    if os.geteuid() != 0 or not SOCKET.is_socket():
        pytest.skip("root alone can have a /run of its own, and the engine's socket must be there")
    command = ["unshare", "--mount", "sh", "-ec", LAYERS, "sh", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "ready\n":
            pytest.skip(f"no layers over /run here: {keeper.communicate()[1].strip()}")
        try:
            yield OwnMachine(keeper)
        finally:
            keeper.kill()
