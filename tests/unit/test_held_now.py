"""What runs now is evidence only as far as the GPU's own list speaks of it."""

from types import SimpleNamespace
from typing import cast

from spark_mode.engine.doors import Docker, Gpu, GpuProcess, Machine
from spark_mode.session.held_now import held_now

CONTAINERS = [
    SimpleNamespace(id="a", service="talk", active=True),
    SimpleNamespace(id="b", service="talk", active=True),
    SimpleNamespace(id="c", service="paint", active=True),
    SimpleNamespace(id="d", service="ended", active=False),
    SimpleNamespace(id="e", service=None, active=True),
]
OF = {1: "a", 2: "b", 3: "c", 4: "d", 5: "e", 6: None}


def held(listed: list[GpuProcess] | None) -> dict[str, int]:
    docker = cast(
        "Docker", SimpleNamespace(containers=lambda project: CONTAINERS if project == "lab" else [], memory_of=lambda _: 2)
    )
    machine = cast("Machine", SimpleNamespace(process=lambda pid: SimpleNamespace(container=OF[pid]) if pid in OF else None))
    gpu = cast("Gpu", SimpleNamespace(processes=lambda: listed))
    return {service: size.planned for service, size in held_now("lab", docker, machine, gpu).items()}


def test_a_service_holds_its_own_pages_and_what_the_gpu_lists_for_all_of_its_containers() -> None:
    assert held(
        [GpuProcess(1, 10), GpuProcess(2, 20), GpuProcess(4, 5), GpuProcess(5, 5), GpuProcess(6, 5), GpuProcess(7, 5)]
    ) == {"talk": 34}


def test_what_the_gpu_does_not_tell_is_no_evidence() -> None:
    assert held(None) == held([]) == held([GpuProcess(3, None)]) == {}
