"""What runs, as data: the mode, the services, the memory, what breaks a rule, and what belongs to others."""

from collections.abc import Iterator, Sequence

from spark_mode.engine.doors import Clock, Gpu
from spark_mode.errors import SparkModeError
from spark_mode.journal.measurements import Measurement, read_measurements
from spark_mode.lab.replicas import of_one
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.planning.completion import completed_services
from spark_mode.planning.conflicts import Conflict
from spark_mode.planning.container import Container
from spark_mode.planning.doubts import doubts
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.mode import long_runs, mode_services, violations
from spark_mode.planning.observed import Observed, running_workload
from spark_mode.planning.orphans import orphans
from spark_mode.planning.pressure import frees
from spark_mode.planning.request import Request, requests_for_modes
from spark_mode.reporting.gpu_load import gpu_load
from spark_mode.reporting.history import history
from spark_mode.reporting.status_model import ModeChange, ModelStatus, ServiceStatus, Status
from spark_mode.session.session import Session
from spark_mode.sharing.lock import who_switches
from spark_mode.wall_time import seconds_since

SAMPLES, SAMPLE_SECONDS = 5, 0.1
BUSY = 90
"""Percent of the GPU that a training should use (the working reference, section 6)."""
GROWN = 0.1
"""By what share of its planned memory a service may grow before it is worth a note."""


def status(session: Session, observed: Observed | None = None) -> Status:
    """Look, and return what is there; of what was `observed` where that is given. Raises EngineUnavailable."""
    observed = observed or session.observe()
    rules, owed = session.rules, dict(_disarmed(session, observed))
    mode = session.mode(observed)
    records = read_measurements(session.measurements_path)
    settled = {one.container: one for one in records}
    held = session.memories_of([one.id for one in observed.active if one.id in settled])
    running = tuple(_service(one, session, settled.get(one.id), held.get(one.id)) for one in observed.active)
    services = (*running, *map(_command, observed.commands), *_ended(mode, session, observed))
    long = (*long_runs(observed.active, rules), *_long_commands(observed, rules))
    against = violations(observed, rules)
    utilisation = busy(session.gpu, session.clock) if long else None
    return Status(
        mode=mode,
        since=_since(mode, session, observed),
        services=services,
        models=tuple(_models(observed, rules)),
        memory=observed.memory,
        declared=sum(one.footprint.planned for one in observed.copies(rules)),
        capacity=session.capacity,
        violations=tuple(map(str, against)),
        remedies=tuple(_remedy(one, observed) for one in against),
        foreign=tuple(_foreign(observed)),
        others=others_by_project(observed),
        memory_users=session.memory_users(observed),
        utilisation=utilisation,
        gpu=gpu_load(session.gpu.read()),
        notes=(
            *_unread(session),
            *notes(services, utilisation, long),
            *_unloads(session),
            *orphans(observed, session.project, rules),
            *doubts(observed, rules),
        ),
        changes=tuple(_changes(session, observed, mode)),
        switching=who_switches(session.directories.locks),
        interrupted=str(session.cut_off) if session.cut_off else session.journal_state.puzzle,
        restores=session.journal_state.restores,
        owed=session.owes_restore,
        awaited=session.awaited_commands,
        held=tuple(map(str, observed.held)),
        jobs=tuple({"job": str(one.job), "request": one.request, "by": one.by} for one in observed.held if one.job),
        disarmed=tuple(f"{one.service or one.name} ({policy})" for one, policy in owed.items()),
        unlasting={one.service or one.name: _lasting(one, policy) for one, policy in owed.items() if one.active},
    )


def _since(mode: str, session: Session, observed: Observed) -> str | None:
    """Return when the last part of the mode started: by the same clock as the ages of its services."""
    parts = mode_services(mode, session.project, session.rules)
    started = [one.started_at[:19] for one in observed.active if one.service in parts and one.started_at]
    if started:
        return f"{max(started)}+00:00"
    return session.state.since if session.state.mode == mode else None


def _remedy(conflict: Conflict, observed: Observed) -> str:
    """Return what ends a conflict, either way; one that is not the lab's to stop stays, and nothing where neither is."""
    names = (conflict.one.name, conflict.other.name)
    ways = [f"to keep {kept}: spark-mode stop {gone}" for kept, gone in (names, names[::-1]) if gone in observed.active_services]
    return "; ".join(ways)


def _lasting(one: Container, policy: str) -> str:
    """Return what has a container that runs start again with the machine."""
    return f"docker update --restart {policy} {one.name}"


def _unloads(session: Session) -> Iterator[str]:
    """Say what clients have daemons outside Docker load again and again beside what runs now, as far as that was written down."""
    rules, since = session.rules, session.state.since or ""
    if not any(map(rules.daemon, rules.hosts)):
        return
    told = {one.request: one for one in history(session) if one.request.startswith("unload ") and one.at >= since}
    for one in told.values():
        yield f"{one.request.removeprefix('unload ')} was loaded outside Docker, and unloaded again: {one.note}; last at {one.at}"


def _unread(session: Session) -> Iterator[str]:
    if unread := session.project.unread:
        yield f"{unread}; what runs of it counts, and can be stopped; the other projects can be used"


def _disarmed(session: Session, observed: Observed) -> Iterator[tuple[Container, str]]:
    """Yield which containers have no restart policy now, and get their own back once a switch has started them; with that."""
    for one in observed.containers:
        owed = session.journal_state.policies.get(one.id)
        if owed and one.restart_policy == "no":
            yield one, owed.policy


def _foreign(observed: Observed) -> Iterator[str]:
    for one in (other for other in observed.foreign if not other.command):
        of = f", of the project {one.project}" if one.project else ""
        yield f"{one.container.name} ({one.name}, {one.container.state}{of})"


def others_by_project(observed: Observed) -> dict[str, tuple[str, ...]]:
    """Return the names of the containers that are not the lab's and that the rules do not speak of; those of no project last."""
    foreign = {one.container.id for one in observed.foreign}
    found = [(one.project or "", one.container.name) for one in observed.others if one.container.id not in foreign]
    projects = sorted({project for project, _ in found}, key=lambda project: (not project, project))
    return {project: tuple(name for of, name in found if of == project) for project in projects}


def _command(one: Command) -> ServiceStatus:
    return ServiceStatus(
        service=f"{one.workload}:{one.variant}" if one.variant else one.workload,
        class_=one.class_,
        state="running",
        health="none",
        age=seconds_since(one.since),
        planned=one.size,
        command=one,
    )


def _long_commands(observed: Observed, rules: Rules) -> Iterator[str]:
    """Yield the workloads that commands are, and run to their end."""
    names = (one.name for one in observed.foreign if one.command)
    yield from (name for name in names if rules.runs_to_end(rules.workloads.get(name)))


def _service(container: Container, session: Session, settled: Measurement | None, held: int | None) -> ServiceStatus:
    name, rules = container.service or container.name, session.rules
    known = session.project.services.get(name)
    workload = running_workload(rules, name, container.variant)
    host = rules.host_of_service(name)
    return ServiceStatus(
        project=container.project,
        service=workload.label if workload and not container.one_off else container.name if container.one_off else name,
        class_=workload.class_ if workload else "host" if host else "unknown",
        state=container.state,
        health=container.health,
        age=seconds_since(container.started_at),
        planned=of_one(workload).footprint.planned if workload else None,
        measured=settled.took if settled and settled.counts else None,
        address=known.address if known and not container.one_off else None,
        grown=held - settled.held if settled and settled.held is not None and held is not None else None,
    )


def _ended(mode: str, session: Session, observed: Observed) -> Iterator[ServiceStatus]:
    """Yield what is part of the mode and has ended by itself, as it should."""
    completed = completed_services(observed, session.project, session.rules)
    for name in mode_services(mode, session.project, session.rules):
        if name in completed:
            workload = running_workload(session.rules, name, None)
            class_ = workload.class_ if workload else "unknown"
            project = session.project.services[name].project or None
            yield ServiceStatus(
                project=project, service=name, class_=class_, state="exited (0)", health="none", age=None, planned=None
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


def notes(services: tuple[ServiceStatus, ...], utilisation: int | None, long: Sequence[str]) -> Iterator[str]:
    """Yield what deserves a look: memory that creeps, and a training that leaves the GPU idle."""
    for one in services:
        if one.grown is not None and one.planned and one.grown > GROWN * one.planned:
            yield f"{one.service} holds {gb_text(one.grown)} more than when it settled: look for a leak, or plan it larger"
    if utilisation is not None and utilisation < BUSY:
        names = ", ".join(long)
        yield f"{names} keeps the GPU {utilisation} % busy, not {BUSY} % and more: a larger batch, or faster data, would use it"


def _changes(session: Session, observed: Observed, mode: str) -> list[ModeChange]:
    requests = requests_for_modes(session.rules, session.project)
    return [_change(one, session, observed) for one in requests if str(one) != mode]


def _change(request: Request, session: Session, observed: Observed) -> ModeChange:
    try:
        plan = session.plan_for(request, observed)
    except SparkModeError as error:  # the files and rules.yaml disagree about that mode; the status stands
        return ModeChange(request=str(request), refused=error.message)
    going = (*(one.name for one in plan.preemptions or ()), *(step.subject for step in plan.steps if step.action == "stop"))
    stops = tuple(dict.fromkeys(going))
    refused = plan.refusal.message if plan.refusal else None
    return ModeChange(request=plan.request, stops=stops, refused=refused, frees=_frees(stops, observed, session.rules))


def _frees(stops: Sequence[str], observed: Observed, rules: Rules) -> int:
    """Return the bytes that stops are expected to give back; a model that goes with its host counts once, with the host."""
    services = [name for name in stops if name in observed.active_services]
    hosts = {rules.host_of_service(name) for name in services}
    models = [one for name in stops if (one := rules.workloads.get(name)) and one.model and one.host not in hosts]
    return sum(frees(name, observed, rules) for name in services) + sum(one.footprint.planned for one in models)
