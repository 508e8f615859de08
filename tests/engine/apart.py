"""Namespaces of a test's own: a network, folders and a name that nothing else on this machine sees, and that end with it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import spark_mode
from tests.engine.lab import DEADLINE, Outcome, until
from tests.known_plugin import configuration

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("unshare", "nsenter", "ip", "bridge", "iptables", "dockerd", "ssh", "ssh-keygen", "sshd")
LAYERS = """
folder=$1 name=$2
mount -t tmpfs tmpfs "$folder/layers"
for below in etc var/lib usr/local; do
    own=$folder/layers/$(basename $below)
    mkdir "$own" "$own/upper" "$own/work"
    mount -t overlay overlay -o "lowerdir=/$below,upperdir=$own/upper,workdir=$own/work" "/$below"
done
mount -t tmpfs tmpfs /run
mkdir /run/lock /run/sshd
mkdir -p /var/lib/docker
mount -t tmpfs tmpfs /var/lib/docker
rm -rf /var/lib/spark-mode* /etc/docker /etc/tmpfiles.d/spark-mode.conf
mkdir -p /usr/local/bin /etc/docker /etc/tmpfiles.d
sed -i "s|^root:.*|root:x:0:0::$folder/home:/bin/sh|" /etc/passwd
sed -i "s|^root:.*|root:*:19000::::::|" /etc/shadow
grep -q ^sshd: /etc/passwd || echo "sshd:x:65533:65534::/run/sshd:/bin/false" >>/etc/passwd
cp "$folder/spark-mode" /usr/local/bin
hostname "$name"
ip link set lo up
echo ready
# Whoever is left to the first process is gone once it has ended.
exec env --ignore-signal=CHLD cat
"""
COMMAND = """#!/bin/sh
export PYTHONPATH={program} DOCKER_CONFIG={docker}
exec {python} -P -m spark_mode.cli "$@"
"""


def require_tools() -> None:
    """Skip where namespaces cannot be had, or what runs in them is not installed."""
    if os.geteuid() != 0:
        pytest.skip("root alone can have a network of its own")
    if missing := [tool for tool in TOOLS if not shutil.which(tool, path=f"{os.environ['PATH']}:{PATH}")]:
        pytest.skip(f"not installed here: {', '.join(missing)}")


class Apart:
    """A machine as far as its network, its folders, its name and root's home go; with `processes`, as far as those go, too.

    All of it ends when this process does. `folder` has root's home, and what the machine writes outside its layers.
    """

    def __init__(self, name: str, folder: Path, processes: bool) -> None:
        self.name, self.folder, self.home = name, folder, folder / "home"
        self._kinds = ["--net", "--mount", "--uts", *(("--ipc", "--pid") if processes else ())]
        (folder / "layers").mkdir(parents=True)
        self.home.mkdir()
        program = Path(spark_mode.__file__).parents[1]
        text = COMMAND.format(program=program, docker=configuration(), python=sys.executable)
        (folder / "spark-mode").write_text(text)
        (folder / "spark-mode").chmod(0o755)
        more = ["--fork", "--kill-child", "--mount-proc"] if processes else []
        command = ["unshare", *self._kinds, *more, "sh", "-ec", LAYERS, "sh", str(folder), name]
        pipe = subprocess.PIPE
        self._keeper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != "ready\n":
            pytest.skip(f"no machine apart can be had here: {self._keeper.communicate()[1].strip()}")
        self.pid = psutil.Process(self._keeper.pid).children()[0].pid if processes else self._keeper.pid
        self._mounts = namespace(self.pid, "mnt")

    def command(self, *command: str) -> list[str]:
        """Return a command line that does there what this one does."""
        return ["nsenter", f"--target={self.pid}", *self._kinds, f"--wdns={self.home}", *command]

    def environment(self) -> dict[str, str]:
        """Return what a command there finds in its environment, which is next to nothing."""
        return {"HOME": str(self.home), "PATH": PATH, "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}

    def ends(self, *command: str, seconds: float = DEADLINE, **environment: str) -> Outcome:
        """Run a command there as root and return how it ended; it must have done so in time."""
        done = subprocess.run(
            self.command(*command),
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            env=self.environment() | environment,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def run(self, *command: str) -> str:
        """Run a command there that must succeed; return what it printed."""
        outcome = self.ends(*command)
        assert outcome.code == 0, f"{self.name}: {command}: {outcome}"
        return outcome.out

    def daemon(self, log: str, *command: str) -> None:
        """Start a program there that stays until it is killed."""
        with (self.folder / log).open("ab") as to:
            started = self.command("setsid", "--fork", *command)
            subprocess.run(
                started, check=True, stdin=subprocess.DEVNULL, stdout=to, stderr=to, timeout=30, env=self.environment()
            )

    def path(self, path: str) -> Path:
        """Return where a file of that machine is seen from this one."""
        return Path(f"/proc/{self.pid}/root{path}")

    def processes(self, *names: str) -> list[psutil.Process]:
        """Return its processes with name and parent, containers' own not among them, or those of these names."""
        found = [one for one in psutil.process_iter(["name", "ppid"]) if namespace(one.pid, "mnt") == self._mounts]
        return [one for one in found if one.pid not in (self.pid, self._keeper.pid) and (not names or one.info["name"] in names)]

    def process(self, number: int) -> psutil.Process:
        """Return a process, one of a container as well, by the number that it has there."""
        return next(one for one in psutil.Process(self.pid).children(recursive=True) if _numbers(one.pid)[1:2] == [number])

    def end(self) -> None:
        """End everything that is there."""
        os.kill(self.pid, signal.SIGKILL)
        self._keeper.communicate()
        send(self.processes(), signal.SIGKILL)
        until(lambda: not self.processes(), 30)


def join(name: str, process: int, address: str, bridge: Callable[..., object], machine: Callable[..., object]) -> None:
    """Have a machine, known by one of its processes, reached by an address over another's bridge, where its port has its name.

    `bridge` and `machine` run a command in the network of each.
    """
    bridge("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(process))
    bridge("ip", "link", "set", name, "up", "master", "lan")
    machine("ip", "address", "add", f"{address}/24", "dev", "eth0")
    machine("ip", "link", "set", "eth0", "up")


def send(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to processes, of which some may just have ended."""
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)


def remove(folder: Path) -> None:
    """Remove a folder of a machine that has just ended: what was mounted there may take a moment to go."""
    deadline = time.monotonic() + 30
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            assert time.monotonic() < deadline, f"{folder} cannot be removed"
            time.sleep(0.1)


def remove_groups(name: str) -> None:
    """Remove the control groups that containers of a machine had; they are empty."""
    for top in (Path("/sys/fs/cgroup") / name, *Path("/sys/fs/cgroup").glob(f"*/{name}")):
        for group in (*sorted(_folders(top), reverse=True), top) if top.is_dir() else ():
            until(lambda group=group: _is_removed(group), 10)  # type: ignore[misc]


def _folders(top: Path) -> Iterator[Path]:
    return (path for path in top.rglob("*") if path.is_dir())


def _is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # its processes have only just gone
        return False
    return True


def namespace(pid: int, kind: str) -> str | None:
    """Return which namespace of a kind a process is in, None for one that has ended."""
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except OSError:
        return None


def _numbers(pid: int) -> list[int]:
    """Return the numbers that a process has, from this namespace to its own; none for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
    return next([int(number) for number in line.split()[1:]] for line in lines if line.startswith("NSpid:"))
