"""The Compose verbs that change something, through python-on-whales.

Each command runs under a deadline and under the children lock, in a process group of its own: Ctrl-C reaches
spark-mode alone, and a command that outlives spark-mode still keeps the next switch out.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from spark_mode.atomic_file import replace_file
from spark_mode.engine.answers import VARIANT
from spark_mode.engine.doors import ChosenVariant, ComposeFailed
from spark_mode.engine.questions import TIMED_OUT, last_line, settings, why_not
from spark_mode.engine.threads import started
from spark_mode.errors import EngineUnavailable
from spark_mode.lab.files import LabFiles
from spark_mode.lab.profiles import ComposeCall, compose_calls
from spark_mode.lab.project import Project
from spark_mode.plain_file import fault

if TYPE_CHECKING:
    from python_on_whales import DockerClient

CREATE_SECONDS = 600
START_SECONDS = 60
KILLED_AFTER_SECONDS = 2


class ComposeVerbs:
    """Compose's verbs for one lab. `files` must name the project; the override of variants lies in `folder`.

    Each command is told of the profiles that its services need, and of no others: what is at fault there is not read.
    """

    def __init__(self, files: LabFiles, project: Project, socket: str, children_lock: str, folder: str) -> None:
        self._files, self._project, self._socket = files, project, socket
        self._children_lock, self._folder = children_lock, Path(folder)

    def prepare(self) -> None:
        started(partial(import_module, "python_on_whales"))  # 250 ms, while something stops

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool = False) -> None:
        override = [str(self._override(variants))] if variants else []
        for call in compose_calls(services, self._project):
            self._create(call, override, anew)

    def _create(self, call: ComposeCall, override: Sequence[str], anew: bool) -> None:
        client = self._client(CREATE_SECONDS, call.profiles, override)
        _run(
            "create",
            CREATE_SECONDS,
            lambda: client.compose.up(
                list(call.services), start=False, dependencies=False, no_build=True, force_recreate=anew, quiet=True
            ),
        )

    def start(self, *services: str) -> None:
        for call in compose_calls(services, self._project):
            self._start(call)

    def _start(self, call: ComposeCall) -> None:
        seconds = START_SECONDS * len(call.services)
        client = self._client(seconds, call.profiles)
        _run(
            "start",
            seconds,
            lambda: client.compose.up(
                list(call.services), detach=True, dependencies=False, recreate=False, no_build=True, pull="never", quiet=True
            ),
        )

    def stop(self, service: str, seconds: int) -> None:
        client = self._client(seconds, self._profiles_of(service))
        _run("stop", seconds, lambda: client.compose.stop([service]))

    def _profiles_of(self, service: str) -> tuple[str, ...]:
        (call,) = compose_calls([service], self._project)
        return call.profiles

    def _client(self, seconds: int, profiles: Sequence[str], overrides: Sequence[str] = ()) -> "DockerClient":
        from python_on_whales import DockerClient  # which only a switch pays for; see `prepare`

        # python-on-whales passes the caller's environment on; `env` takes Compose's own settings out of it.
        unset = [part for key in os.environ if key.startswith("COMPOSE_") or key == "DOCKER_CONTEXT" for part in ("-u", key)]
        variables = settings(self._socket) | self._project.stand_ins
        setting = [f"{key}={value}" for key, value in variables.items()]
        deadline = ["timeout", "-k", str(KILLED_AFTER_SECONDS), str(seconds)]
        return DockerClient(
            client_call=["env", *unset, *setting, *deadline, "flock", "--shared", self._children_lock, "docker"],
            compose_files=[*self._files.compose, *overrides],
            compose_profiles=list(profiles),
            compose_env_files=list(self._files.env_files),
            compose_project_name=self._files.project_name,
            compose_project_directory=self._files.project_directory,
        )

    def _override(self, variants: Mapping[str, ChosenVariant]) -> Path:
        """Write the Compose file that turns services into their variants; JSON is YAML."""
        services = {
            service: {"environment": variant.environment, "labels": {VARIANT: variant.name}}
            for service, variant in variants.items()
        }
        path = self._folder / f"{self._files.project_name}.variants.json"
        try:
            replace_file(path, json.dumps({"services": services}).encode(), 0o660)
        except OSError as error:
            raise ComposeFailed("; ".join(fault(path, error, "make room, or make it writable"))) from None
        return path


def _run(verb: str, seconds: int, act: Callable[[], object]) -> None:
    """Run a verb with standard input closed, and tell a missed deadline from a failure that Compose reports."""
    from python_on_whales.exceptions import DockerException

    nothing, own = os.open(os.devnull, os.O_RDONLY), os.dup(0)
    os.dup2(nothing, 0)
    try:
        act()
    except DockerException as error:
        if error.return_code in TIMED_OUT:
            raise EngineUnavailable(
                f"docker compose {verb} did not end within {seconds} s", "look at the engine: docker info, docker ps"
            ) from None
        # What it wrote last may tell of a success: a wrapper fails after what it wraps.
        said = f"docker compose {verb} ended with exit code {error.return_code}; its last line: {last_line(error.stderr or '')}"
        raise ComposeFailed(said) from None
    except OSError as error:
        raise ComposeFailed(f"docker compose {verb} did not start: {why_not(error)}") from None
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(nothing)
