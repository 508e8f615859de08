"""What runs, as data: the mode, the services, the memory, what breaks a rule, and what belongs to others."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from composer.lab.size import gb
from composer.planning.mode import current_mode, violations
from composer.planning.observed import Container, Memory, Observed, running_workload
from composer.planning.plan import Plan
from composer.planning.request import Request
from composer.switching.session import Session


class ServiceStatus(BaseModel):
    """A service with an active container. `age` is in seconds, `planned` in bytes, None for a host."""

    model_config = ConfigDict(frozen=True)

    service: str
    class_: str
    state: str
    health: str
    age: float | None
    planned: int | None


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
    models: tuple[str, ...]
    memory: Memory
    declared: int
    capacity: int
    violations: tuple[str, ...]
    foreign: tuple[str, ...]
    others: tuple[str, ...]
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
                }
                for one in self.services
            ],
            "ollama": list(self.models),
            "memory": {
                "total_gb": None if total is None else gb(total),
                "available_gb": None if available is None else gb(available),
                "declared_gb": gb(self.declared),
            },
            "violations": list(self.violations),
            "foreign": list(self.foreign),
            "others": list(self.others),
            "changes": [one.model_dump() for one in self.changes],
        }


def status(session: Session) -> Status:
    """Look, and return what is there. Raises EngineUnavailable when the engine cannot be asked."""
    observed = session.observe()
    rules, state = session.rules, session.state
    mode = current_mode(observed, session.project, rules)
    foreign = {one.container.id for one in observed.foreign}
    return Status(
        mode=mode,
        since=state.since if state.mode == mode else None,
        services=tuple(_service(one, session) for one in observed.active),
        models=observed.models,
        memory=observed.memory,
        declared=sum(one.footprint.planned for one in observed.workloads(rules)),
        capacity=session.capacity,
        violations=tuple(str(one) for one in violations(observed, rules)),
        foreign=tuple(f"{one.container.name} ({one.workload}, {one.container.state})" for one in observed.foreign),
        others=tuple(one.container.name for one in session.others() if one.container.id not in foreign),
        changes=tuple(_changes(session, observed, mode)),
    )


def _service(container: Container, session: Session) -> ServiceStatus:
    name = container.service or container.name
    workload = running_workload(session.rules, name, container.variant)
    host = session.rules.host_of_service(name)
    return ServiceStatus(
        service=workload.label if workload and not container.one_off else container.name if container.one_off else name,
        class_=workload.class_ if workload else "host" if host else "unknown",
        state=container.state,
        health=container.health,
        age=seconds_since(container.started_at),
        planned=workload.footprint.planned if workload else None,
    )


def _changes(session: Session, observed: Observed, mode: str) -> list[ModeChange]:
    requests = [
        Request.model_validate({"verb": name, "names": (profile,) if name == "audio" else ()})
        for name, one in session.rules.modes.items()
        if name in ("audio", "training")
        for profile in one.profiles
        if profile in session.project.profiles
    ]
    return [_change(session.plan_for(one, observed)) for one in requests if str(one) != mode]


def _change(plan: Plan) -> ModeChange:
    stops = tuple(one.name for one in plan.preemptions or ())
    return ModeChange(request=plan.request, stops=stops, refused=plan.refusal.message if plan.refusal else None)


def seconds_since(moment: str) -> float | None:
    """Return the seconds since an ISO 8601 time of the engine, None for a time that is not one."""
    try:
        then = datetime.fromisoformat(moment[:19] + "+00:00")
    except ValueError:
        return None
    return max(0.0, (datetime.now(UTC) - then).total_seconds()) if then.year > 1 else None
