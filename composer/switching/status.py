"""What runs, as data: the mode, the services, the memory, what breaks a rule, and what belongs to others."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from composer.engine.doors import Clock, Gpu
from composer.errors import SparkModeError
from composer.lab.rules import Rules
from composer.lab.size import gb, gb_text
from composer.planning.mode import current_mode, violations
from composer.planning.observed import Container, Holder, Memory, Observed, running_workload
from composer.planning.request import Request
from composer.switching.holders import held_by
from composer.switching.measurements import Measurement, read_measurements
from composer.switching.session import Session
from composer.switching.state import seconds_since

SAMPLES, SAMPLE_SECONDS = 5, 0.1
BUSY = 90
"""Percent of the GPU that a training should use (the working reference, section 6)."""
GROWN = 0.1
"""By what share of its planned memory a service may grow before it is worth a note."""


class ServiceStatus(BaseModel):
    """A service with an active container. `age` is in seconds, `planned` in bytes, None for a host.

    `measured` is what it took when it settled, `grown` by how much it holds more since; bytes, None where unknown.
    """

    model_config = ConfigDict(frozen=True)

    service: str
    class_: str
    state: str
    health: str
    age: float | None
    planned: int | None
    measured: int | None = None
    grown: int | None = None


class ModelStatus(BaseModel):
    """A model that is expected or loaded. `loaded` is None where its host does not say; sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    name: str
    host: str
    expected: bool
    loaded: bool | None
    planned: int | None
    size: int | None = None
    context_length: int | None = None
    expires_at: str | None = None


class ModeChange(BaseModel):
    """What another mode would do now: what it stops, or why it is refused."""

    model_config = ConfigDict(frozen=True)

    request: str
    stops: tuple[str, ...] = ()
    refused: str | None = None


class Status(BaseModel):
    """One look at the lab and the machine. Sizes in bytes; `since` is ISO 8601."""

    model_config = ConfigDict(frozen=True)

    mode: str
    since: str | None
    services: tuple[ServiceStatus, ...]
    models: tuple[ModelStatus, ...]
    memory: Memory
    declared: int
    capacity: int
    violations: tuple[str, ...]
    foreign: tuple[str, ...]
    others: tuple[str, ...]
    holders: tuple[Holder, ...]
    utilisation: int | None
    notes: tuple[str, ...]
    changes: tuple[ModeChange, ...]

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
                }
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
            "holders": [{"name": one.name, "owner": one.owner, "size_gb": gb(one.size)} for one in self.holders],
            "gpu_utilisation": self.utilisation,
            "notes": list(self.notes),
            "violations": list(self.violations),
            "foreign": list(self.foreign),
            "others": list(self.others),
            "changes": [one.model_dump() for one in self.changes],
        }


def _gb(size: int | None) -> float | int | None:
    return None if size is None else gb(size)


def status(session: Session) -> Status:
    """Look, and return what is there. Raises EngineUnavailable when the engine cannot be asked."""
    observed = session.observe()
    rules, state = session.rules, session.state
    mode = current_mode(observed, session.project, rules)
    foreign = {one.container.id for one in observed.foreign}
    records = read_measurements(session.measurements_path)
    services = tuple(_service(one, session, records) for one in observed.active)
    utilisation = busy(session.gpu, session.clock) if any(one.class_ == "training" for one in services) else None
    return Status(
        mode=mode,
        since=state.since if state.mode == mode else None,
        services=services,
        models=tuple(_models(observed, rules)),
        memory=observed.memory,
        declared=sum(one.footprint.planned for one in observed.workloads(rules)),
        capacity=session.capacity,
        violations=tuple(str(one) for one in violations(observed, rules)),
        foreign=tuple(f"{one.container.name} ({one.workload}, {one.container.state})" for one in observed.foreign),
        others=tuple(one.container.name for one in session.others() if one.container.id not in foreign),
        holders=session.holders(observed),
        utilisation=utilisation,
        notes=tuple(notes(services, utilisation)),
        changes=tuple(_changes(session, observed, mode)),
    )


def _service(container: Container, session: Session, records: tuple[Measurement, ...]) -> ServiceStatus:
    name = container.service or container.name
    workload = running_workload(session.rules, name, container.variant)
    host = session.rules.host_of_service(name)
    settled = next((one for one in reversed(records) if one.container == container.id), None)
    held = held_by(container.id, session.docker, session.machine, session.gpu) if settled else None
    return ServiceStatus(
        service=workload.label if workload and not container.one_off else container.name if container.one_off else name,
        class_=workload.class_ if workload else "host" if host else "unknown",
        state=container.state,
        health=container.health,
        age=seconds_since(container.started_at),
        planned=workload.footprint.planned if workload else None,
        measured=settled.took if settled else None,
        grown=held - settled.held if settled and settled.held is not None and held is not None else None,
    )


def _models(observed: Observed, rules: Rules) -> Iterator[ModelStatus]:
    """Yield what is expected beside what is loaded: a model may go by itself, and a client may load another."""
    seen = {(one.host, one.workload or one.model): one for host in observed.loaded for one in observed.loaded_on(host)}
    expected = {(rules.workloads[name].host or "", name) for name in observed.models}
    for host, name in sorted(expected | seen.keys()):
        workload, one = rules.workloads.get(name), seen.get((host, name))
        yield ModelStatus(
            name=name,
            host=host,
            expected=(host, name) in expected,
            loaded=None if observed.loaded.get(host) is None else one is not None,
            planned=workload.footprint.planned if workload else None,
            size=one.size if one else None,
            context_length=one.context_length if one else None,
            expires_at=one.expires_at if one else None,
        )


def busy(gpu: Gpu, clock: Clock) -> int | None:
    """Return the highest of some samples of the GPU's utilisation, percent: a busy training may rest for a moment."""
    samples = []
    for _ in range(SAMPLES):
        sample = gpu.utilisation()
        if sample is None:
            return None
        samples.append(sample)
        clock.sleep(SAMPLE_SECONDS)
    return max(samples)


def notes(services: tuple[ServiceStatus, ...], utilisation: int | None) -> Iterator[str]:
    """Yield what deserves a look: memory that creeps, and a training that leaves the GPU idle."""
    for one in services:
        if one.grown is not None and one.planned and one.grown > GROWN * one.planned:
            yield f"{one.service} holds {gb_text(one.grown)} more than when it settled: look for a leak, or plan it larger"
    if utilisation is not None and utilisation < BUSY:
        yield f"training keeps the GPU {utilisation} % busy, not {BUSY} % and more: a larger batch, or faster data, would use it"


def _changes(session: Session, observed: Observed, mode: str) -> list[ModeChange]:
    requests = [
        Request.model_validate({"verb": name, "names": (profile,) if name == "audio" else ()})
        for name, one in session.rules.modes.items()
        if name in ("audio", "training")
        for profile in one.profiles
        if profile in session.project.profiles
    ]
    return [_change(one, session, observed) for one in requests if str(one) != mode]


def _change(request: Request, session: Session, observed: Observed) -> ModeChange:
    try:
        plan = session.plan_for(request, observed)
    except SparkModeError as error:  # the files and rules.yaml disagree about that mode; the status stands
        return ModeChange(request=str(request), refused=error.message)
    stops = tuple(one.name for one in plan.preemptions or ())
    return ModeChange(request=plan.request, stops=stops, refused=plan.refusal.message if plan.refusal else None)
