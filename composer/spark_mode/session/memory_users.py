"""Who holds memory that no workload of the lab declares: a container of others, a process, a model, shared memory."""

from collections import Counter
from collections.abc import Sequence

from spark_mode.engine.doors import Docker, Gpu, Machine
from spark_mode.planning.observed import Memory, MemoryUser, Observed
from spark_mode.sharing.command_processes import processes_of
from spark_mode.sharing.commands import leader_of

SMALLEST_SHARE = 200
"""What holds less than one part in so many of the machine's memory is not worth naming."""
SMALLEST_BYTES = 100 * 10**6
MOST = 5


def find_memory_users(docker: Docker, machine: Machine, gpu: Gpu, observed: Observed) -> tuple[MemoryUser, ...]:
    """Return who holds undeclared memory, the largest first.

    Sizes are what can be seen from outside: a process's own memory and what the GPU lists for it. They are a lower bound.
    """
    least = max(SMALLEST_BYTES, (observed.memory.total or 0) // SMALLEST_SHARE)
    on_gpu = {one.pid: one.used or 0 for one in gpu.processes() or ()}
    large = {one.pid: one for one in machine.processes(least)}
    for pid in on_gpu.keys() - large.keys():
        if seen := machine.process(pid):
            large[pid] = seen
    declared = {one.id for one in observed.active} | {one.container.id for one in observed.foreign}
    others = {one.container.id: one for one in observed.others if one.container.id not in declared}
    gpu_of_container: Counter[str] = Counter()
    found: list[MemoryUser] = []
    of_commands = {pid for one in observed.commands for pid in processes_of(leader_of(one))}
    for pid, one in large.items():
        if one.container in declared or pid in of_commands:
            continue
        if one.container in others:
            gpu_of_container[one.container] += on_gpu.get(pid, 0)
        else:
            owner = f"process {pid} of {one.user}" + (", its container is gone" if one.container else "")
            found.append(MemoryUser(name=one.name, owner=owner, size=one.size + on_gpu.get(pid, 0)))
    held = docker.memories_of(tuple(others))
    for id_, other in others.items():
        owner = f"container of {other.project}" if other.project else "container"
        found.append(MemoryUser(name=other.container.name, owner=owner, size=(held[id_] or 0) + gpu_of_container[id_]))
    for host in observed.loaded:
        for model in observed.loaded_on(host):
            if model.workload is None:
                found.append(MemoryUser(name=model.model, owner=f"a model in {host}", size=model.size))
    found.append(MemoryUser(name="/dev/shm", owner="files in shared memory", size=machine.shared_memory()))  # noqa: S108 - a name
    return tuple(sorted((one for one in found if one.size >= least), key=lambda one: (-one.size, one.name)))


def memory_of_containers(containers: Sequence[str], docker: Docker, machine: Machine, gpu: Gpu) -> dict[str, int | None]:
    """Return the bytes that each of these containers holds, with what the GPU lists for its processes; None is unknown."""
    on_gpu: Counter[str] = Counter()
    for one in (gpu.processes() or ()) if containers else ():
        if (seen := machine.process(one.pid)) and seen.container:
            on_gpu[seen.container] += one.used or 0
    held = docker.memories_of(containers)
    return {id_: None if own is None else own + on_gpu[id_] for id_, own in held.items()}


def memory_users_text(users: tuple[MemoryUser, ...], memory: Memory) -> str:
    """Return a sentence for a refusal or a failure."""
    if users:
        return f"Held by what no workload declares: {', '.join(str(one) for one in users[:MOST])}."
    if memory.total is None or memory.available is None:
        return "Who holds it cannot be seen."
    return "Who holds it cannot be seen from outside: no process, container or file in shared memory that is large enough."
