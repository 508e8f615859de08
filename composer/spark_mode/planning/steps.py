"""The steps of a plan, in the one order that is safe: create, stop, await the memory, start one by one, verify.

Creating comes before the first stop, so that a bad file or a missing image costs nothing. Only a service that runs in
another variant is stopped before its new container can be created.
"""

from collections.abc import Iterable, Iterator

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.admission import required_memory
from spark_mode.planning.conflicts import Member, exclusive, member
from spark_mode.planning.observed import Container, Memory, Observed
from spark_mode.planning.plan import AwaitRelease, Create, DropCaches, Load, Start, Step, Stop, Unload, Unpause, Verify
from spark_mode.planning.target import variant_of
from spark_mode.planning.work import Work, is_varied

READY_SECONDS = 1200.0
"""How long a service without a health check may take to be ready."""
READY_AFTER_START_PERIOD = 300.0
"""How long a service with a health check may take beyond its start period."""


def steps(work: Work) -> tuple[Step, ...]:
    """Return the steps that lead from what was observed to the target; none when it is reached already."""
    found: list[Step] = []
    ahead = tuple(name for name in work.to_create if name not in work.other_variants)
    if ahead:
        found.append(_create(ahead, work))
    found += _stops(work)
    found += _unloads(work)
    if work.other_variants:
        found.append(_create(work.other_variants, work))
    loads = [one for name in work.request.extra if (one := work.rules.find(name)) and one.model and not work.observed.holds(one)]
    loads = loads if work.request.verb != "restore" else []
    if work.to_start or loads:
        if work.request.drop_caches:
            found.append(DropCaches(subject="-", cause="requested: CUDA does not count the page cache as free"))
        found.append(await_release(work.starting_workloads, work.rules, work.observed.memory, force=work.request.force))
    needed = {one.service: one.footprint.planned for one in work.starting_workloads}
    for name in work.target.services:
        container = work.observed.container_of(name)
        if name in work.to_start:
            required = needed.get(name, 0) + work.rules.limits.floor
            found.append(start(name, work.project, "requested", work.done, work.request.ready_seconds, required))
        elif container and container.state == "paused":
            found.append(_unpause(container, name, work))
    bound = {"seconds": work.request.ready_seconds} if work.request.ready_seconds else {}
    found += [Load(host=one.host or "", model=one.model or "", subject=one.name, cause="requested", **bound) for one in loads]
    if work.target.services and (found or any(_not_ready(work.observed.container_of(name)) for name in work.target.services)):
        kept = tuple(name for name in work.target.services if name not in work.to_start)
        found.append(verify(work.target.services, work.done, work.rules, unhealthy(kept, work.observed)))
    return tuple(found)


def start(name: str, project: Project, cause: str, done: frozenset[str], ready_seconds: float | None, required: int) -> Start:
    """Return the start of a service, with its own bound on readiness where `ready_seconds` is None."""
    return Start(
        service=name,
        subject=name,
        cause=cause,
        completes=name in done,
        ready_seconds=ready_seconds or _own_bound(name, project),
        by_compose=project.services[name].start_by_compose,
        required=required,
    )


def _unpause(container: Container, name: str, work: Work) -> Unpause:
    return Unpause(
        container=container.id,
        service=name,
        subject=name,
        cause="it is paused",
        completes=name in work.done,
        ready_seconds=work.request.ready_seconds or _own_bound(name, work.project),
    )


def _own_bound(name: str, project: Project) -> float:
    """Return how many seconds a service may take to be ready, by its own health check."""
    check = project.services[name].healthcheck
    return check.start_period + READY_AFTER_START_PERIOD if check and not check.disable else READY_SECONDS


def await_release(starting: tuple[Workload, ...], rules: Rules, memory: Memory, force: bool) -> AwaitRelease:
    """Return the wait for the memory of what starts and the headroom, or with `force` the floor."""
    reserve = f"{gb_text(rules.limits.floor)} floor" if force else f"{gb_text(rules.limits.headroom)} headroom"
    names = _listed([one.label for one in starting])
    planned = gb_text(sum(one.footprint.planned for one in starting))
    verb = "needs" if len(starting) == 1 else "need"
    need = f"{names} {verb} {planned} and {reserve}" if starting else f"{reserve} must remain"
    free = "unknown how much is free" if memory.available is None else f"{gb_text(memory.available)} are free"
    return AwaitRelease(subject="-", cause=f"{need}; {free}", required=required_memory(starting, rules, force))


def verify(services: tuple[str, ...], done: frozenset[str], rules: Rules, unhealthy: tuple[str, ...] = ()) -> Verify:
    """Return the last look: the services are up, and no class that a rule excludes beside them is active.

    It calls nothing healthy that is kept `unhealthy`.
    """
    present = [member(rules, name) for name in services]
    classes = [Member(name=f"class {name}", labels=frozenset({name})) for name in rules.classes]
    excluded = [one.name.split()[1] for one in classes if any(exclusive(rules, one, other) for other in present)]
    up = "healthy"
    if unhealthy:
        up = f"{', '.join(unhealthy)} unhealthy as before" + (", the rest healthy" if len(unhealthy) < len(services) else "")
    return Verify(
        services=services,
        subject=", ".join(services),
        cause=f"{up}; nothing of {' or '.join(excluded)} active" if excluded else up,
        completes=tuple(name for name in services if name in done),
        unhealthy=unhealthy,
    )


def unhealthy(services: Iterable[str], observed: Observed) -> tuple[str, ...]:
    """Return those whose container runs and fails its health check."""
    return tuple(name for name in services if (one := observed.container_of(name)) and one.health == "unhealthy")


def in_stop_order(services: Iterable[str], project: Project, rules: Rules, observed: Observed) -> tuple[str, ...]:
    """Return services so that each comes before what it depends on, else in the order of rules.yaml."""
    left = sorted(set(services), key=lambda name: (_position(name, rules), name))
    needs = {name: set(project.closure([name])) for name in left}
    for container in observed.containers:
        if container.service in needs:
            needs[container.service] |= set(container.depends_on)
    ordered: list[str] = []
    while left:
        free = [name for name in left if not any(name in needs[other] for other in left if other != name)]
        ordered.append((free or left)[0])  # a circle of labels, which Compose would refuse, must not stop a stop
        left.remove(ordered[-1])
    return tuple(ordered)


def has_stop_hook(service: str, project: Project) -> bool:
    """Whether a service has `pre_stop` hooks, which only Compose runs; any other stop is quicker by the engine itself."""
    return service in project.services and project.services[service].pre_stop


def _stops(work: Work) -> Iterator[Stop]:
    causes = {one.name: one.cause for one in work.stopped if not one.is_model}
    causes |= dict.fromkeys(work.other_variants, f"{work.request} asks for another variant")
    for name in in_stop_order(causes, work.project, work.rules, work.observed):
        containers = [one for one in work.observed.active if one.service == name]
        workload = work.rules.of_service(name)
        yield Stop(
            service=name,
            subject=name,
            cause=causes[name],
            containers=tuple(one.id for one in containers),
            by_compose=has_stop_hook(name, work.project) and any(not one.one_off for one in containers),
            training=bool(workload and workload.class_ == "training"),
        )
    if work.request.verb == "stop" and not work.request.names:
        for one in work.observed.active:
            if one.service is None:
                yield Stop(service=None, subject=one.name, cause="requested", containers=(one.id,), by_compose=False)


def _unloads(work: Work) -> Iterator[Unload]:
    """Yield the unload of each model that must go and whose host stays; one that is not loaded has nothing to give."""
    for one in work.stopped:
        if not one.is_model:
            continue
        workload = work.rules.workloads.get(one.name)
        host = one.host or (workload.host if workload else None) or ""
        on_host = work.observed.loaded.get(host)
        if on_host is None or any(one.name in (other.workload, other.model) for other in on_host):
            model = workload.model if workload and workload.model else one.name
            bound = {"seconds": work.request.ready_seconds} if work.request.ready_seconds else {}
            yield Unload(host=host, model=model, subject=one.name, cause=one.cause, **bound)


def _create(services: tuple[str, ...], work: Work) -> Create:
    variants = {
        name: variant
        for name in services
        if is_varied(name, work.target, work.rules, work.observed)
        and (variant := variant_of(name, work.target, work.rules, work.observed))
    }
    return Create(services=services, variants=variants, subject=", ".join(services), cause="requested")


def _not_ready(container: Container | None) -> bool:
    return container is not None and container.active and (container.health == "starting" or container.state != "running")


def _position(name: str, rules: Rules) -> int:
    workload = rules.of_service(name)
    return rules.position(workload.name) if workload else len(rules.workloads)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
