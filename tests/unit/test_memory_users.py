"""Who holds memory that nobody declared is named, with what the GPU lists for it."""

from collections.abc import Sequence

from spark_mode.engine.doors import GpuProcess, Process
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.observed import LoadedModel, Memory, MemoryUser, Observed
from spark_mode.session.memory_users import find_memory_users, memory_of_containers, memory_users_text
from tests.simulation.lab import PROJECT, RULES
from tests.simulation.machine import NoGpu, SimulatedMachine

GB = 10**9
LAB, NOTEBOOK = "a" * 64, "b" * 64


class Machine(SimulatedMachine):
    """A machine with processes, a notebook in a container of others, and files in shared memory."""

    def __init__(self, processes: Sequence[Process], shared: int = 0) -> None:
        super().__init__(PROJECT, RULES, 128 * GB)
        self.seen, self.shared = {one.pid: one for one in processes}, shared
        self.foreign = (
            ForeignContainer(
                container=Container(id=NOTEBOOK, name="notebook", state="running"), image="jupyter", labels={}, project="work"
            ),
        )

    def processes(self, least: int) -> tuple[Process, ...]:
        return tuple(one for one in self.seen.values() if one.size >= least)

    def process(self, pid: int) -> Process | None:
        return self.seen.get(pid)

    def shared_memory(self) -> int:
        return self.shared

    def memory_of(self, id: str) -> int | None:
        return {LAB: 2 * GB, NOTEBOOK: 3 * GB}[id]


class Gpu(NoGpu):
    """A GPU that lists processes."""

    def __init__(self, **used: int) -> None:
        self._listed = tuple(GpuProcess(pid=int(name[1:]), used=size) for name, size in used.items())

    def processes(self) -> tuple[GpuProcess, ...]:
        return self._listed


def process(pid: int, size: int, container: str | None = None) -> Process:
    return Process(pid=pid, name=f"p{pid}", user="ann", container=container, size=size)


def observed(*models: LoadedModel) -> Observed:
    lab = Container(id=LAB, name="lab-omni-1", service="omni", state="running")
    memory = Memory(total=128 * GB, available=90 * GB)
    return Observed(containers=(lab,), memory=memory, loaded={"ollama": models} if models else {})


def found(machine: Machine, gpu: NoGpu, seen: Observed) -> list[str]:
    return [
        str(one) for one in find_memory_users(machine, machine, gpu, seen.model_copy(update={"others": machine.others("lab")}))
    ]


def test_a_process_and_a_container_of_others_are_named_the_largest_first() -> None:
    machine = Machine([process(1, 9 * GB), process(2, 1 * GB, NOTEBOOK), process(3, 8 * GB, LAB), process(4, 1000)])
    assert found(machine, NoGpu(), observed()) == ["p1 (process 1 of ann) 9.0 GB", "notebook (container of work) 3.0 GB"]


def test_what_the_gpu_lists_counts_for_its_process_or_container() -> None:
    machine = Machine([process(1, 1000), process(2, 1000, NOTEBOOK), process(3, 1000, LAB)])
    gpu = Gpu(p1=5 * GB, p2=30 * GB, p3=7 * GB)
    assert found(machine, gpu, observed()) == ["notebook (container of work) 33.0 GB", "p1 (process 1 of ann) 5.0 GB"]
    assert memory_of_containers([LAB, NOTEBOOK], machine, machine, gpu) == {LAB: 9 * GB, NOTEBOOK: 33 * GB}


def test_a_process_whose_container_is_gone_is_told_apart() -> None:
    machine = Machine([process(1, 4 * GB, "c" * 64)])
    assert "p1 (process 1 of ann, its container is gone) 4.0 GB" in found(machine, NoGpu(), observed())


def test_models_that_no_workload_describes_and_shared_memory_are_named() -> None:
    stranger = LoadedModel(host="ollama", model="mistral:7b", size=6 * GB)
    known = LoadedModel(host="ollama", model="llama3.1:8b", size=5 * GB, workload="llama3.1:8b")
    names = found(Machine([], shared=30 * GB), NoGpu(), observed(stranger, known))
    assert [name.partition(" (")[0] for name in names] == ["/dev/shm", "mistral:7b", "notebook"]  # noqa: S108 - a name


def test_where_nobody_can_be_named_that_is_said() -> None:
    memory = Memory(total=128 * GB, available=1)
    assert "cannot be seen" in memory_users_text((), memory)
    assert (
        memory_users_text((MemoryUser(name="x", owner="y", size=GB),), memory)
        == "Held by what no workload declares: x (y) 1.0 GB."
    )
