"""The doors to the world that a switch uses, in one hand."""

from dataclasses import dataclass

from spark_mode.engine.doors import Clock, Compose, Docker, Gpu, Machine
from spark_mode.session.observe import Hosts


@dataclass(frozen=True)
class Doors:
    """The doors that a switch uses."""

    docker: Docker
    compose: Compose
    machine: Machine
    gpu: Gpu
    hosts: Hosts
    clock: Clock
