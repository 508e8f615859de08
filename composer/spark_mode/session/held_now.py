"""What the services of a project hold at this moment, for a first rules.yaml: only where the GPU's own list says so."""

from collections import Counter

from spark_mode.engine.doors import Docker, Gpu, Machine
from spark_mode.init.sizing import Size

EVIDENCE = "measured: what it holds now, which is the least it takes"


def held_now(project: str, docker: Docker, machine: Machine, gpu: Gpu) -> dict[str, Size]:
    """Return what each running service of a project holds, in bytes; not those of which the GPU's list tells nothing.

    The kernel's figures alone do not see what CUDA takes, and would be far too low. Raises EngineUnavailable.
    """
    on_gpu: Counter[str] = Counter()
    for one in gpu.processes() or ():
        if one.used and (seen := machine.process(one.pid)) and seen.container:
            on_gpu[seen.container] += one.used
    held: Counter[str] = Counter()
    for container in docker.containers(project):
        if container.active and container.service and container.id in on_gpu:
            held[container.service] += on_gpu[container.id] + (docker.memory_of(container.id) or 0)
    return {service: Size(size, size, size, EVIDENCE) for service, size in held.items()}
