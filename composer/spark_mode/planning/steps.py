"""The steps of a plan, in the one order that is safe: create, stop, await the memory, start, verify.

Creating comes before the first stop, so that a bad file or a missing image costs nothing. Only a service that runs in
another variant, or that shares with one that is made anew, is stopped before its new container can be created; what has another
one's name is removed as well.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.admission import required_memory
from spark_mode.planning.conflicts import Member, exclusive, member
from spark_mode.planning.container import Container
from spark_mode.planning.naming import removals
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.plan import FEW, AwaitRelease, Create, DropCaches, Load, Run, Start, Step, Stop, Unload, Unpause, Verify
from spark_mode.planning.problem import PlanningProblem, is_varied
from spark_mode.planning.request import RunRequest
from spark_mode.planning.side_by_side import BRIEF_SETTLE_SECONDS, SETTLE_SECONDS, awaited, is_light, start_groups
from spark_mode.planning.target import variant_of

MANY = 8
"""Of more names than this a cause says a few; the plan's target has all."""
READY_SECONDS = 1200.0
"""How long a service without a health check may take to be ready."""
READY_AFTER_START_PERIOD = 300.0
"""How long a service with a health check may take beyond its start period."""


def steps(problem: PlanningProblem) -> tuple[Step, ...]:
    """Return the steps that lead from what was observed to the target; none when it is reached already."""
    found: list[Step] = []
    ahead = tuple(name for name in problem.to_create if name not in problem.created_late)
    if ahead:
        found.append(_create(ahead, problem))
    found += _stops(problem)
    found += _unloads(problem)
    found += removals(problem.name_holders)
    if problem.created_late:
        found.append(_create(problem.created_late, problem))
    loads = problem.to_load
    if problem.to_start or loads or problem.target.command:
        if problem.request.drop_caches:
            found.append(DropCaches(subject="-", cause="requested: CUDA does not count the page cache as free"))
        found.append(
            await_release(problem.starting_workloads, problem.rules, problem.observed.memory, force=problem.request.force)
        )
    needed = {one.service: one.footprint.planned for one in problem.starting_workloads}
    paused = {
        name: container
        for name in problem.target.services
        if name not in problem.to_start and (container := problem.observed.container_of(name)) and container.state == "paused"
    }
    for coming in starts(
        [name for name in problem.target.services if name in paused or name in problem.to_start],
        problem.project,
        problem.rules,
        problem.observed,
        "requested",
        problem.done,
        problem.request.ready_seconds,
        needed,
    ):
        name = coming.service
        found.append(_unpause(paused[name], name, problem) if name in paused else coming)
    bound = {"seconds": problem.request.ready_seconds} if problem.request.ready_seconds else {}
    found += [Load(host=one.host or "", model=one.model or "", subject=one.name, cause="requested", **bound) for one in loads]
    if isinstance(problem.request, RunRequest) and (command := problem.target.command):
        found.append(_run(problem.request, command, problem.rules))
    if problem.target.services and (
        found or any(_not_ready(problem.observed.container_of(name)) for name in problem.target.services)
    ):
        kept = tuple(name for name in problem.target.services if name not in problem.to_start)
        ended = tuple(name for name in kept if (seen := problem.observed.container_of(name)) and seen.state == "exited")
        found.append(verify(problem.target.services, problem.done, problem.rules, unhealthy(kept, problem.observed), ended))
    return tuple(found)


def _run(request: RunRequest, command: Workload, rules: Rules) -> Run:
    size = command.footprint.planned
    return Run(
        workload=command.name,
        class_=command.class_,
        size=size,
        variant=command.variant,
        required=size + rules.limits.floor,
        subject=request.title,
        cause=f"requested; it counts as {command.label}, and holds the machine until it ends",
    )


def starts(
    names: Sequence[str],
    project: Project,
    rules: Rules,
    observed: Observed,
    cause: str,
    done: frozenset[str],
    ready_seconds: float | None,
    needed: Mapping[str | None, int],
) -> Iterator[Start]:
    """Yield the starts of services, each with its own bound on readiness where `ready_seconds` is None.

    What takes no memory worth measuring goes side by side; where something does, the others say for which of them they wait.
    `needed` is what each is planned with, bytes.
    """
    light = {name for name in names if is_light(project.services[name], rules, observed)}
    groups = list(start_groups(names, light, project))
    former = None
    for group in groups:
        afters = {name: awaited(name, group, project) for name in group}
        at_once = len([name for name in group if not afters[name]]) > 1
        for name, after in afters.items():
            said = f"after {', '.join(after)}" if after else "side by side" if at_once else ""
            if name not in light:
                said, former = f"once {former} is ready" if former and len(groups) < len(names) else "", name
            yield Start(
                service=name,
                subject=name,
                cause=f"{cause}, {said}" if said else cause,
                completes=name in done,
                ready_seconds=ready_seconds or _own_bound(name, project),
                by_compose=project.services[name].start_by_compose or project.services[name].replicas > 1,
                required=needed.get(name, 0) + rules.limits.floor,
                settle_seconds=BRIEF_SETTLE_SECONDS if name in light else SETTLE_SECONDS,
                side_by_side=len(group) > 1,
                after=after,
            )


def _unpause(container: Container, name: str, problem: PlanningProblem) -> Unpause:
    return Unpause(
        container=container.id,
        service=name,
        subject=name,
        cause="it is paused",
        completes=name in problem.done,
        ready_seconds=problem.request.ready_seconds or _own_bound(name, problem.project),
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


def verify(
    services: tuple[str, ...],
    done: frozenset[str],
    rules: Rules,
    unhealthy: tuple[str, ...] = (),
    completed: tuple[str, ...] = (),
) -> Verify:
    """Return the last look: the services are up, and no class that a rule excludes beside them is active.

    It calls nothing healthy that is kept `unhealthy`, or that has `completed` before.
    """
    present = [member(rules, name) for name in services]
    classes = [Member(name=f"class {name}", labels=frozenset({name})) for name in rules.classes]
    excluded = [one.name.split()[1] for one in classes if any(exclusive(rules, one, other) for other in present)]
    others = [f"{', '.join(completed)} completed"] if completed else []
    others += [f"{', '.join(unhealthy)} unhealthy as before"] if unhealthy else []
    rest = "the rest healthy" if others else "healthy"
    up = ", ".join([*others, rest] if len(services) > len(unhealthy) + len(completed) else others)
    return Verify(
        services=services,
        subject=", ".join(services),
        cause=f"{up}; nothing of {' or '.join(excluded)} active" if excluded else up,
        completes=tuple(name for name in services if name in done),
        unhealthy=unhealthy,
        completed=completed,
        apart=tuple(excluded),
    )


def unhealthy(services: Iterable[str], observed: Observed) -> tuple[str, ...]:
    """Return those whose container runs and fails its health check."""
    return tuple(name for name in services if (one := observed.container_of(name)) and one.active and one.health == "unhealthy")


def in_stop_order(services: Iterable[str], project: Project, rules: Rules, observed: Observed) -> dict[str, tuple[str, ...]]:
    """Return services, each before what it depends on, else in the order of rules.yaml; and which of them come before each."""
    left = sorted(set(services), key=lambda name: (_position(name, rules), name))
    needs = {name: set(project.closure([name])) for name in left}
    for container in observed.containers:
        if container.service in needs:
            needs[container.service] |= set(container.depends_on)
    before = {name: [other for other in left if other != name and name in needs[other]] for name in left}
    ordered: dict[str, tuple[str, ...]] = {}
    while left:
        free = (name for name in left if all(other in ordered for other in before[name]))
        name = next(free, left[0])  # a circle of labels, which Compose would refuse, must not stop a stop
        ordered[name] = tuple(other for other in before[name] if other in ordered)
        left.remove(name)
    return ordered


def has_stop_hook(service: str, project: Project) -> bool:
    """Whether a service has `pre_stop` hooks, which only Compose runs; any other stop is quicker by the engine itself."""
    return service in project.services and project.services[service].pre_stop


def _stops(problem: PlanningProblem) -> Iterator[Stop]:
    causes = {one.name: one.cause for one in problem.stopped if not one.is_model}
    causes |= problem.renewed
    for name, after in in_stop_order(causes, problem.project, problem.rules, problem.observed).items():
        containers = [one for one in problem.observed.active if one.service == name]
        workload = problem.rules.of_service(name)
        yield Stop(
            service=name,
            subject=name,
            cause=causes[name],
            containers=tuple(one.id for one in containers),
            by_compose=has_stop_hook(name, problem.project) and any(not one.one_off for one in containers),
            training=problem.rules.runs_to_end(workload),
            after=after,
        )
    if problem.request.verb == "stop" and not problem.request.names:
        for one in problem.observed.active:
            if one.service is None:
                yield Stop(service=None, subject=one.name, cause="requested", containers=(one.id,), by_compose=False)


def _unloads(problem: PlanningProblem) -> Iterator[Unload]:
    """Yield the unload of each model that must go and whose host stays; one that is not loaded has nothing to give."""
    for one in problem.stopped:
        if not one.is_model:
            continue
        workload = problem.rules.workloads.get(one.name)
        host = one.host or (workload.host if workload else None) or ""
        on_host = problem.observed.loaded.get(host)
        if on_host is None or any(one.name in (other.workload, other.model) for other in on_host):
            model = workload.model if workload and workload.model else one.name
            bound = {"seconds": problem.request.ready_seconds} if problem.request.ready_seconds else {}
            yield Unload(host=host, model=model, subject=one.name, cause=one.cause, **bound)


def _create(services: tuple[str, ...], problem: PlanningProblem) -> Create:
    variants = {
        name: variant
        for name in services
        if is_varied(name, problem.target, problem.rules, problem.observed)
        and (variant := variant_of(name, problem.target, problem.rules, problem.observed))
    }
    anew = [f"{name} is made anew to share with {owner}" for name in services if (owner := problem.parted_from(name))]
    cut_off = [name for name in services if problem.is_cut_off(name)]
    anew += [f"{name} is made anew: its network is gone" for name in cut_off]
    cause = "; ".join(["requested", *anew])
    return Create(services=services, variants=variants, subject=", ".join(services), cause=cause, anew=bool(cut_off))


def _not_ready(container: Container | None) -> bool:
    return container is not None and container.active and (container.health == "starting" or container.state != "running")


def _position(name: str, rules: Rules) -> int:
    workload = rules.of_service(name)
    return rules.position(workload.name) if workload else len(rules.workloads)


def _listed(names: list[str]) -> str:
    if len(names) > MANY:
        return few(names, FEW)
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
