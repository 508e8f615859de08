"""The stand-in lab under a project name of the tests' own, used through the command line only."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.engine.api import Api
from tests.engine.forked import Forked, run_forked
from tests.known_plugin import configuration

ROOT = Path(__file__).parents[2]
SHIPPED = ("compose/audio-lab.yaml", "compose/stand-in.yaml")
FILES = (*SHIPPED, "tests/engine/light.yaml")
RULES = "compose/stand-in.rules.yaml"
RAREST = 0.2
"""Seconds between two looks at what takes long."""
DEADLINE = 120
SLOW_STOP, LONG = "slow-stop=90", "100s"
"""A fault and its grace: what was asked to stop goes on until the test kills it, so that the test has the time it needs."""


class Outcome(NamedTuple):
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Lab:
    """A stand-in lab with its own project and state; models load at once and hold next to nothing, if nothing else is said.

    `host` is another engine than the machine's. `forked` says whether what is run need not be a new interpreter, and
    `namespace` is one that this is to be in, where it is not this process's.
    """

    forked = True
    namespace: Path | None = None

    def __init__(self, project: str, home: Path, host: str | None = None) -> None:
        self.project = project
        self.folder = ROOT
        self.files: tuple[str, ...] = FILES
        self.rules: str | None = RULES
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "SPARK_MODE_"))},
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "STAND_IN_LOAD": "0",
            "STAND_IN_MEMORY": "1MB",
            "PYTHONPATH": str(ROOT),
            "DOCKER_CONFIG": configuration(),
        }
        self._home = home
        if host:
            self.environment["DOCKER_HOST"] = host
        self._spawned: list[subprocess.Popen[str]] = []

    def arguments(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "spark_mode.cli", *self.words(*arguments)]

    def words(self, *arguments: str) -> list[str]:
        """Return what stands after the command's name: which lab is meant, and what is asked of it."""
        files = [part for file in self.files for part in ("-f", file)]
        rules = ["--rules", self.rules] if self.rules else []
        project = ["-p", self.project] if self.files else []
        return [*project, *files, *rules, *arguments]

    def run(self, *arguments: str, expect: int | None = 0, **environment: str) -> Outcome:
        """Run spark-mode to its end; it must exit with the code that is expected, and never show a traceback."""
        outcome = self._spark_mode(arguments, environment)
        assert "Traceback" not in outcome.err, outcome.err
        assert expect is None or outcome.code == expect, f"{arguments}: {outcome}"
        return outcome

    def _spark_mode(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        """Run it as a command where that is what is looked at, or what its interpreter makes of the environment."""
        if not self.forked or any(name.startswith(("PYTHON", "LC_")) for name in environment):
            return self._ended(self.arguments(*arguments), environment)
        return Outcome(
            *run_forked(self.words(*arguments), self.folder, self.environment | dict(environment), DEADLINE, self.namespace)
        )

    def spawn(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start spark-mode and leave it running; what it writes is kept together."""
        here = self.environment | environment
        process = (
            Forked(self.words(*arguments), self.folder, here, self.namespace) if self.forked else self.started(arguments, here)
        )
        self._spawned.append(process)
        return process

    def started(self, arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
        """Start it by an interpreter of its own."""
        heard = ["env", "--default-signal=INT,HUP"]  # a shell has what it runs in the background ignore them
        return subprocess.Popen(
            [*heard, *self.arguments(*arguments)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def compose(self, *arguments: str, **environment: str) -> str:
        """Use plain Docker Compose on the same lab, as a user might beside spark-mode."""
        files = [part for file in self.files for part in ("-f", file)]
        outcome = self._ended(["docker", "compose", "-p", self.project, *files, "--profile", "*", *arguments], environment)
        assert outcome.code == 0, outcome.err
        return outcome.out

    def plain(self, *arguments: str, **environment: str) -> Outcome:
        """Use plain Docker Compose as somebody who does not know spark-mode; return how it ended."""
        return self._ended(["docker", "compose", *arguments], environment)

    def _ended(self, command: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        """Run a command as the lab's user, in its folder, to its end."""
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self.environment | dict(environment),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def running(self) -> dict[str, tuple[str, str]]:
        """Return id and start time of each running container by its service."""
        return {one["service"]: (one["id"], one["started"]) for one in self.containers() if one["state"] == "running"}

    def containers(self) -> list[dict[str, str]]:
        """Return all containers of the project as Docker sees them."""
        return snapshot(self.environment, self.project)

    def id_of(self, service: str) -> str:
        """Return the id of a container of a service."""
        return next(one["id"] for one in self.containers() if one["service"] == service)

    def docker(self, *arguments: str) -> str:
        """Use the lab's engine."""
        return docker(*arguments, environment=self.environment)

    @property
    def state_folder(self) -> Path:
        """Where the lab's journal and locks lie."""
        return Path(self.environment["XDG_STATE_HOME"]) / "spark-mode"

    def again(self) -> "Lab":
        """Return the same lab with nothing of what was changed in how it is used."""
        return Lab(self.project, self._home)

    def has(self, *request: str) -> None:
        """Have it in a mode, in which it may be."""
        self.run(*request, "--yes")

    def end(self) -> None:
        """End what was spawned."""
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()

    def down(self) -> None:
        """End what was spawned, and remove what the project has, and nothing else."""
        self.end()
        api = Api(self.environment.get("DOCKER_HOST"))
        api.remove(self.project)
        with suppress(OSError, KeyError), _opened(self.state_folder / "children.lock") as lock:  # some have no folder
            until(lambda: _is_free(lock))  # a command that a killed switch left behind may be about to start something
            api.remove(self.project)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file, whatever it is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def docker(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a docker command that must succeed."""
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=DEADLINE, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start_by_hand(id_: str) -> None:
    """Start a container beside spark-mode, as somebody does who sees to it: Docker was seen to lose its process as that began."""
    until(lambda: subprocess.run(["docker", "start", id_], check=False, capture_output=True, timeout=DEADLINE).returncode == 0)


def snapshot(environment: Mapping[str, str] | None = None, project: str | None = None) -> list[dict[str, str]]:
    """Return what must be the same before and after a refusal: all containers of the engine with state and start time."""
    return [
        {
            "id": raw["Id"],
            "name": raw["Name"],
            "state": raw["State"]["Status"],
            "started": raw["State"]["StartedAt"],
            "finished": raw["State"]["FinishedAt"],
            "policy": raw["HostConfig"]["RestartPolicy"]["Name"],
            "project": (raw["Config"]["Labels"] or {}).get("com.docker.compose.project", ""),
            "service": (raw["Config"]["Labels"] or {}).get("com.docker.compose.service", ""),
        }
        for raw in Api((environment or os.environ).get("DOCKER_HOST")).containers(project)
    ]


def until(true: Callable[[], object], seconds: float = DEADLINE, pause: float = 0.05) -> None:
    """Wait until something is true; fail when it is not in time, which no load of the machine may use up.

    What takes long is looked at more and more rarely: to ask the engine twenty times a second was a load of its own.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(pause)
        pause = min(1.2 * pause, max(pause, RAREST))


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C for a process."""
    process.send_signal(signal.SIGINT)


def ends(process: "subprocess.Popen[str]") -> Outcome:
    """Wait for a process and return how it ended."""
    text, _ = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in text, text
    return Outcome(process.returncode, text, text)


def said(process: "subprocess.Popen[str]", what: str) -> str:
    """Read what a process says until it says something; return that line."""
    assert process.stdout is not None
    while what not in (line := process.stdout.readline()):
        assert line, f"it never said {what}"
    return line


def asked_to_stop(lab: Lab, service: str) -> str:
    """Wait until a service has been asked to stop, which is a slow one; return its container."""
    (id_,) = [one["id"] for one in lab.containers() if one["service"] == service]
    api = Api(lab.environment.get("DOCKER_HOST"))
    until(lambda: api.last_line(id_) == "stopping", pause=0.1)
    return id_


def wait_for_a_word(lab: Lab, folder: Path, service: str, **more: object) -> None:
    """Have a service get healthy at a word, so that a test has all the time it needs."""
    check = {"test": ["CMD", "test", "-e", "/word"], "start_period": "10m", "start_interval": "1s", **more}
    file = folder / f"{service}-waits.yaml"
    file.write_text(json.dumps({"services": {service: {"healthcheck": check}}}))
    lab.files = (*lab.files, str(file))


def give_the_word(lab: Lab, service: str) -> None:
    """Have it get healthy, now or when it runs again."""
    (id_,) = [one["id"] for one in lab.containers() if one["service"] == service]
    lab.docker("cp", __file__, f"{id_}:/word")


def state(lab: Lab) -> Mapping[str, str]:
    """Return the state of each service's container."""
    return {one["service"]: one["state"] for one in lab.containers()}
