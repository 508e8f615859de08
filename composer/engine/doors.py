"""What switching asks of the world. Every call is bounded in time.

Every door raises EngineUnavailable when the engine cannot be asked, refuses, or does not answer in time: the state of
containers is then unknown. Containers and memory come back as the models that planning reads.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from composer.planning.observed import Container, Memory


class Identity(BaseModel):
    """Which engine this is, and what it can do."""

    model_config = ConfigDict(frozen=True)

    id: str
    version: str
    gpu_runtime: bool


class Other(BaseModel):
    """An active container that is not of the lab's project, with what rules may know it by."""

    model_config = ConfigDict(frozen=True)

    container: Container
    image: str
    labels: dict[str, str]
    project: str | None = None


class Docker(Protocol):
    """The engine: what is there, and the acts that need no Compose file."""

    def identity(self) -> Identity:
        """Return which engine answers."""

    def containers(self, project: str) -> tuple[Container, ...]:
        """Return all containers with the project's label, stopped and one-off ones included, in order of name."""

    def others(self, project: str) -> tuple[Other, ...]:
        """Return all active containers without the project's label, in order of name."""

    def container(self, id: str) -> Container | None:
        """Return one container as it is now, or None when it is gone."""

    def images(self, names: Sequence[str]) -> dict[str, str]:
        """Return the id of each of these images; one that does not exist is absent."""

    def networks(self, project: str) -> dict[str, str]:
        """Return the Compose configuration hash of each of the project's networks, by full name."""

    def volumes(self, project: str) -> dict[str, str]:
        """Return the Compose configuration hash of each of the project's volumes, by full name."""

    def project_of_file(self, file: str) -> str | None:
        """Return the project whose containers were made from this Compose file, or None when there are none."""

    def stop(self, id: str, seconds: int) -> None:
        """Send SIGTERM and, after so many seconds, SIGKILL; return when the container has stopped or is gone."""

    def start(self, id: str) -> None:
        """Start a stopped container as it is."""

    def unpause(self, id: str) -> None:
        """Let a paused container go on."""

    def last_lines(self, id: str, count: int) -> tuple[str, ...]:
        """Return the last lines that a container wrote, without control characters."""


class ChosenVariant(BaseModel):
    """A variant other than the default one, and the environment that its service gets for it."""

    model_config = ConfigDict(frozen=True)

    name: str
    environment: dict[str, str]


class ComposeFailed(Exception):
    """Compose ran and reported a failure; the message is the redacted last line that it wrote."""


class Compose(Protocol):
    """The Compose verbs that change something; always by service name. Raises ComposeFailed when Compose reports one."""

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant]) -> None:
        """Create the containers of these services without starting any; replaces outdated stopped ones.

        `variants` are by service. The container of one carries the label `spark-mode.variant`.
        """

    def start(self, service: str) -> None:
        """Start one service alone, with the container that exists; never create, build or pull."""

    def stop(self, service: str, seconds: int) -> None:
        """Stop one service with its own grace; `seconds` is how long that may take in all."""


class Machine(Protocol):
    """The memory of the machine that the engine runs on."""

    def memory(self) -> Memory:
        """Return total and available bytes, None where they cannot be read."""


class Clock(Protocol):
    """Monotonic time and waiting."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait so long."""
