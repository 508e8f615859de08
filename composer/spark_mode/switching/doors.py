"""What every step of a switch has at hand, and how a step says that it could not be carried out."""

from dataclasses import dataclass

from spark_mode.engine.doors import Clock, Compose, Docker, Gpu, Machine
from spark_mode.switching.observe import Hosts


class StepFailed(Exception):
    """A step could not be carried out; the message says what was seen."""


class NotReleased(StepFailed):
    """The memory did not come back in time."""


@dataclass(frozen=True)
class Doors:
    """The doors that a switch uses."""

    docker: Docker
    compose: Compose
    machine: Machine
    gpu: Gpu
    hosts: Hosts
    clock: Clock
