"""What `status` shows, as data; what it means is in `status.py`."""

from pydantic import Field

from spark_mode.frozen import Frozen
from spark_mode.lab.size import gb
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.observed import Memory, MemoryUser
from spark_mode.reporting.gpu_load import GpuLoad


class ServiceStatus(Frozen):
    """A service with an active container, or one of the mode that has ended by itself.

    `age` is in seconds, `planned` in bytes, None for a host. A plain `command` that counts as the workload stands like a service.

    `measured` is what it took when it settled, `grown` by how much it holds more since; bytes, None where unknown, as what it
    took is where others' memory moved meanwhile. `project` is its Compose project, where the lab has several, `address` where the
    first port is reached that it publishes.
    """

    service: str
    class_: str
    state: str
    health: str
    age: float | None
    planned: int | None
    measured: int | None = None
    grown: int | None = None
    project: str | None = None
    command: Command | None = None
    address: str | None = None


class ModelStatus(Frozen):
    """A model that is expected or loaded. `loaded` is None where its host does not say; sizes in bytes."""

    name: str
    host: str
    expected: bool
    loaded: bool | None
    planned: int | None
    size: int | None = None
    context_length: int | None = None
    expires_at: str | None = None


class ModeChange(Frozen):
    """What another mode would do now: what it stops and the bytes that this `frees`, or why it is refused."""

    request: str
    stops: tuple[str, ...] = ()
    refused: str | None = None
    frees: int = 0

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form; sizes in GB."""
        return {"request": self.request, "stops": self.stops, "refused": self.refused, "frees_gb": gb(self.frees)}


class Status(Frozen):
    """One look at the lab and the machine. Sizes in bytes; `since` is ISO 8601: when the last part of the mode started.

    `utilisation` is the highest of a few looks at the GPU, for a long run alone; `gpu` is one look.
    `others` are the containers that the rules say nothing of, by their project, "" for those of none.
    `switching` is a switch that runs now, `interrupted` one that was cut off, `held` what others may not stop,
    `disarmed` restart policies to give back, `unlasting` which of these containers run, by service; `remedies` are what to type
    against each of the `violations`; `restores` says that what ran before comes back when training, or a command,
    ends, `owed` that a command has ended already, and `awaited` are the commands that have not.
    """

    mode: str
    since: str | None
    services: tuple[ServiceStatus, ...]
    models: tuple[ModelStatus, ...]
    memory: Memory
    declared: int
    capacity: int
    violations: tuple[str, ...]
    foreign: tuple[str, ...]
    others: dict[str, tuple[str, ...]]
    memory_users: tuple[MemoryUser, ...]
    utilisation: int | None
    gpu: GpuLoad = GpuLoad()
    notes: tuple[str, ...]
    changes: tuple[ModeChange, ...]
    switching: str | None = None
    interrupted: str | None = None
    restores: bool = False
    owed: bool = False
    awaited: tuple[Command, ...] = ()
    held: tuple[str, ...] = ()
    jobs: tuple[dict[str, str], ...] = ()
    disarmed: tuple[str, ...] = ()
    unlasting: dict[str, str] = Field(default_factory=dict)
    remedies: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form; sizes in GB."""
        total, available = self.memory.total, self.memory.available
        return {
            "mode": self.mode,
            "since": self.since,
            "services": [
                {
                    "service": one.service,
                    "class": one.class_,
                    "state": one.state,
                    "health": one.health,
                    "planned_gb": None if one.planned is None else gb(one.planned),
                    "age_seconds": one.age,
                    "measured_gb": _gb(one.measured),
                    "grown_gb": _gb(one.grown),
                    "address": one.address,
                    **({"command": one.command.as_json()} if one.command else {}),
                }
                | ({"project": one.project} if one.project else {})
                for one in self.services
            ],
            "ollama": [
                {
                    "name": one.name,
                    "host": one.host,
                    "expected": one.expected,
                    "loaded": one.loaded,
                    "planned_gb": _gb(one.planned),
                    "size_gb": _gb(one.size),
                    "context_length": one.context_length,
                    "expires_at": one.expires_at,
                }
                for one in self.models
            ],
            "memory": {
                "total_gb": _gb(total),
                "available_gb": _gb(available),
                "swap_used_gb": _gb(self.memory.swap_used),
                "declared_gb": gb(self.declared),
            },
            "holders": [{"name": one.name, "owner": one.owner, "size_gb": gb(one.size)} for one in self.memory_users],
            "gpu_utilisation": self.utilisation,
            "gpu": self.gpu.as_json(),
            "notes": list(self.notes),
            "violations": list(self.violations),
            "foreign": list(self.foreign),
            "others": sorted(name for names in self.others.values() for name in names),
            "changes": [one.as_json() for one in self.changes],
            "switching": self.switching,
            "interrupted": self.interrupted,
            "restores": self.restores,
            "owed": self.owed,
            "held": list(self.held),
            "jobs": list(self.jobs),
            "restart_policies": list(self.disarmed),
        }


def _gb(size: int | None) -> float | int | None:
    return None if size is None else gb(size)
