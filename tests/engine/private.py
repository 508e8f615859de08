"""A second engine of the tests' own, beside the machine's: it may be frozen, killed and restarted. Only root can start one."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO

import psutil

IMAGE = "audio-lab-stand-in:latest"
START_SECONDS = 60.0


class PrivateEngine:
    """An engine with its data, its socket and its containers under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = str(folder / "docker.sock")
        self.host = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.folder / "daemon.json").write_text("{}")  # not the machine's own settings
        paths = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid", "--config-file": "daemon.json"}
        # In a network namespace of its own: with --bridge=none dockerd removes docker0, whoever that belongs to.
        command = ["unshare", "--net", "dockerd", "--host", self.host, "--bridge=none", "--iptables=false", "--ip6tables=false"]
        command += [part for option, name in paths.items() for part in (option, str(self.folder / name))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the private engine does not answer"
            time.sleep(0.05)

    def load(self) -> None:
        """Copy the stand-in's image from the machine's engine."""
        with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
            self.docker("load", "--quiet", stdin=saved.stdout)

    def docker(self, *arguments: str, stdin: IO[bytes] | int | None = subprocess.DEVNULL) -> str:
        """Use it."""
        command = ["docker", "--host", self.host, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def freeze(self) -> None:
        """Have it hang: it accepts connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9; its containers live on."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)
        self._reap()

    def restart(self) -> None:
        """Restart it as `systemctl restart docker` does."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End it and all that belongs to it."""
        if self._process and self._process.poll() is None:
            self.thaw()
            ids = self.docker("ps", "--all", "--quiet").split()
            if ids:
                self.docker("rm", "--force", "--volumes", *ids)
            self.stop()
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in part for part in process.info["cmdline"] or ()) and process.pid != os.getpid():
                process.kill()
        for mounted in reversed(Path("/proc/mounts").read_text().splitlines()):  # one that was killed leaves its own
            if (where := mounted.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", where], check=True, timeout=30)
        shutil.rmtree(self.folder)

    def shim_of(self, id_: str) -> psutil.Process:
        """Return the process that holds a container: frozen, its container cannot be stopped."""
        return next(
            one
            for one in psutil.process_iter(["cmdline", "name"])
            if "containerd-shim" in (one.info["name"] or "") and id_ in (one.info["cmdline"] or ())
        )

    def process_of(self, id_: str) -> psutil.Process:
        """Return the first process of a container."""
        return psutil.Process(int(self.docker("inspect", "--format", "{{.State.Pid}}", id_)))

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(self.socket)
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(64)
            except OSError:
                return False

    def _signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def _reap(self) -> None:
        assert self._process
        self._process.wait(START_SECONDS)
