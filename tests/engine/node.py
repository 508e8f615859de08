"""One node of a fleet for the tests: a machine with its own engine, sshd, lab, locks and journals."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.engine.apart import Apart, send
from tests.engine.api import Api
from tests.engine.lab import DEADLINE, Outcome, snapshot, until
from tests.engine.node_forks import FORKS, be_forked
from tests.engine.outside import furnish
from tests.engine.private import PrivateEngine
from tests.engine.witness import Witness

PROJECT = "spark-mode-test-fleet"
SERVER = """
ListenAddress {address}
HostKey {keys}/host
AuthorizedKeysFile {keys}/key.pub
StrictModes no
UsePAM no
UseDNS no
PidFile none
PermitRootLogin prohibit-password
MaxStartups 1000
"""
STAYS = ("dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy", FORKS)
LIGHT = {"STAND_IN_LOAD": "0", "STAND_IN_MEMORY": "1MB"}
DATA = "/var/lib/docker"
LAYERED = ("image/overlay2/repositories.json", "image", "overlay2")
"""What an engine that keeps images as layers has of them, first what tells that it does."""


class NodeEngine(PrivateEngine):
    """The engine of a node: there it has the paths that every engine has, and here a socket in the node's folder."""

    def __init__(self, place: Apart, group: str) -> None:
        super().__init__(place.folder)
        self._place, self._group = place, group
        self._told: list[psutil.Process] = []

    def start(self) -> None:
        """Start it and wait until it answers."""
        for name, file in (("dockerd", "docker.pid"), ("containerd", "docker/containerd/containerd.pid")):
            if not self._place.processes(name):  # one that was killed has left it, and somebody else may have its number
                self._place.path(f"/run/{file}").unlink(missing_ok=True)
        hosts, log = ["--host=unix:///run/docker.sock", f"--host={self.host}"], self.folder / "engine.log"
        log.unlink(missing_ok=True)
        self._place.daemon(log.name, "dockerd", *hosts, f"--cgroup-parent=/{self._group}")
        until(lambda: self._answers() or "failed to start daemon" in log.read_text(), 60)
        assert self._answers(), log.read_text()[-2000:]

    @property
    def is_there(self) -> bool:
        """Say whether it runs; frozen, it does as well."""
        return bool(self._place.processes("dockerd"))

    def process_of(self, id_: str) -> psutil.Process:
        return self._place.process(int(self.docker("inspect", "--format", "{{.State.Pid}}", id_)))

    def remove(self) -> None:
        """The node ends it."""
        raise NotImplementedError

    def _signal(self, number: int) -> None:
        self._told = self._place.processes("dockerd")
        send(self._told, signal.Signals(number))

    def _reap(self) -> None:
        assert psutil.wait_procs(self._told, 60)[1] == []
        containerd = self._place.processes("containerd")  # left by one that was killed; it may have been told already
        send(containerd, signal.SIGTERM)
        assert psutil.wait_procs(containerd, 60)[1] == []


class Node:
    """A node. `plug` puts its cable in, or pulls it."""

    def __init__(self, name: str, address: str, place: Apart, group: str, plug: Callable[[bool], None]) -> None:
        self.name, self.address, self.place = name, address, place
        self.engine = NodeEngine(place, group)
        self._plug = plug
        self._keys = place.folder.parent / "keys"
        self._project = PROJECT

    def start(self, images: Path, forks: bool) -> None:
        """Start its engine and its sshd, and furnish its lab; with `forks`, spark-mode is no new interpreter there.

        `images` are a file that was saved, or those of another node, which cost a quarter of that.
        """
        if images.is_dir():
            kept = (images / name for name in LAYERED[1:])
            subprocess.run(["cp", "--archive", "--one-file-system", *kept, self.place.path(DATA)], check=True, timeout=DEADLINE)
        self.engine.start()
        if images.is_file():
            self.engine.docker("load", "--quiet", "--input", str(images))
        (self.place.folder / "server").write_text(SERVER.format(address=self.address, keys=self._keys))
        self.start_sshd()
        furnish(self._lab, self._project)
        self.environment()
        if forks:
            be_forked(self.place)
        self.place.run("spark-mode", "setup", "--shared")
        self.place.run("spark-mode", "lab", str(self._lab))

    def images(self) -> Path | None:
        """Return where another node can have its images from, None where its engine does not keep them as layers."""
        data = self.place.path(DATA)
        return data if (data / LAYERED[0]).exists() else None

    def environment(self, **variables: str) -> None:
        """Have its lab run with these variables from now on, such as OMNI_FAULT."""
        fixed = [line for line in (self._lab / ".env").read_text().splitlines() if line.startswith("COMPOSE_")]
        said = [f"{name}={value}" for name, value in (LIGHT | variables).items()]
        (self._lab / ".env").write_text("\n".join([*fixed, *said, ""]))

    def spark_mode(self, *arguments: str, expect: int | None = 0) -> Outcome:
        """Use spark-mode there, without ssh."""
        outcome = self.place.ends("spark-mode", *arguments)
        assert "Traceback" not in outcome.err, outcome.err
        assert expect is None or outcome.code == expect, f"{self.name}: {arguments}: {outcome}"
        return outcome

    def status(self) -> Any:
        """Return what its status says."""
        return self.spark_mode("status", "--format", "json").json

    def docker(self, *arguments: str) -> str:
        """Use its engine."""
        return self.engine.docker(*arguments)

    def containers(self) -> list[dict[str, str]]:
        """Return its containers as its engine sees them."""
        return snapshot({"DOCKER_HOST": self.engine.host})

    def running(self) -> set[str]:
        """Return which services run there."""
        return {one["service"] for one in self.containers() if one["state"] == "running"}

    def events(self) -> Witness:
        """Return a witness of its engine's events, to be used as a context."""
        return Witness(self._project, self.engine.host)

    def freeze_sshd(self) -> None:
        """Have its sshd hang, and every session of it: a connection is taken, and nothing is said."""
        send(self.place.processes("sshd", "sshd-session"), signal.SIGSTOP)

    def thaw_sshd(self) -> None:
        """Let it go on."""
        send(self.place.processes("sshd", "sshd-session"), signal.SIGCONT)

    def kill_sshd(self) -> None:
        """kill -9 of it and of every session: connections are reset, and new ones refused. What they started lives on."""
        send(self.place.processes("sshd", "sshd-session"), signal.SIGKILL)

    def start_sshd(self) -> None:
        """Start it and wait until it listens."""
        (self.place.folder / "sshd.log").unlink(missing_ok=True)
        where = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "sshd"
        self.place.daemon("sshd.log", where, "-D", "-e", "-f", str(self.place.folder / "server"))
        until(lambda: "Server listening" in (self.place.folder / "sshd.log").read_text(), DEADLINE)

    def partition(self) -> None:
        """Have what is sent to it and by it vanish, without a word to anybody."""
        self._plug(False)

    def join(self) -> None:
        """Have it reached again."""
        self._plug(True)

    def heal(self) -> None:
        """Have it be as it was started: reached, with its engine and its sshd, nothing running, and nothing remembered."""
        self.join()
        self.thaw_sshd()
        self.engine.thaw()
        if not self.engine.is_there:
            self.engine.start()
        self._end_programs()
        if not self.place.processes("sshd"):
            self.start_sshd()
        for project in {one["project"] for one in self.containers()}:
            Api(self.engine.host).remove(project)
        if left := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *left)
        for folder in ("/run/spark-mode", "/var/lib/spark-mode"):
            for path in self.place.path(folder).iterdir():
                if not path.name.startswith("compose-"):  # what Compose answered is as true as it was
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.environment()

    @property
    def _lab(self) -> Path:
        return self.place.home / "lab"

    def _end_programs(self) -> None:
        """End what was started there, and who is logged in."""
        for _ in range(2):  # a session that ends may just have started something
            left = [one for one in self.place.processes() if one.info["name"] not in STAYS and not self._listens(one)]
            send(left, signal.SIGKILL)
            psutil.wait_procs(left, 10)

    def _listens(self, process: psutil.Process) -> bool:
        """Say whether it is sshd itself, and no session of it."""
        return bool(process.info["name"] == "sshd" and process.info["ppid"] == self.place.pid)
