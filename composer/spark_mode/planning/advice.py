"""What a plan says beside its steps: nothing here stops a switch, and a careful person would want to know it."""

from collections.abc import Iterator

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.planning.admission import changed_parts, required_memory
from spark_mode.planning.conflicts import exclusive, member
from spark_mode.planning.container import Container
from spark_mode.planning.doubts import doubts
from spark_mode.planning.named_stops import left_running
from spark_mode.planning.observed import Observed
from spark_mode.planning.orphans import orphans
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.target import Target, members, variant_of

SHORT_GRACE = 60
"""Seconds; a training that gets less to write its checkpoint may lose it."""


def warnings(problem: PlanningProblem) -> Iterator[str]:
    """Yield what is worth knowing of the target, of what stays and of what is stopped."""
    target, project, rules, observed = problem.target, problem.project, problem.rules, problem.observed
    for container in problem.remaining.active:
        if container.service in problem.renewed and not container.one_off:
            continue
        if container.service in project.services and container.service in target.services and not container.one_off:
            yield from _kept(container, target, project, rules, observed)
        elif container.one_off:
            yield f"{container.name} is a one-off container of {container.service} and stays"
    for name in _with_training(target, rules, observed):
        yield from _grace(name, project, observed)
    loaded_now = {rules.workloads[one].name for one in target.models if one in problem.request.extra}
    lazily = [one for one in target.models if one not in observed.models and one not in loaded_now]
    if lazily:
        yield f"room is kept for {', '.join(lazily)}; the first request to its host loads it"
    for foreign in left_running(problem):
        yield f"{foreign}, and is not the lab's to stop: {foreign.how_to_stop}"
    yield from _never_again(problem)
    yield from doubts(observed, rules)
    yield from _hosts(problem)
    yield from _page_cache(problem)
    yield from _made_otherwise(problem)
    yield from _replicas(problem)
    if problem.request.verb != "stop":
        yield from orphans(problem.remaining, project, rules)


def _never_again(problem: PlanningProblem) -> Iterator[str]:
    """Say of what is stopped that Compose, as its files are now, cannot start it again, and why."""
    project = problem.project
    for name in sorted(problem.gone_services):
        if fault := project.fault_of(name):
            yield f"{name} cannot be started again once it is stopped: {fault}"


def _replicas(problem: PlanningProblem) -> Iterator[str]:
    """Say of which services more containers are stopped than come back, which are as many as the files say."""
    for name in (one.name for one in problem.stopped if not one.is_model):
        count = sum(one.service == name and not one.one_off for one in problem.observed.active)
        known = problem.project.services[name].replicas if name in problem.project.services else 1
        if count > known:
            back = "one" if known == 1 else f"{known}"
            yield f"{name} runs {count} times and is stopped with all of them; restore brings {back} back"


def _made_otherwise(problem: PlanningProblem) -> Iterator[str]:
    """Say which networks and volumes the Compose in use may take for changed, though only another one made them."""
    for kind, name, maker in changed_parts(problem, by_this_compose=False) if problem.to_start else ():
        yield (
            f'the {kind} "{name}" was made by Compose {maker or "of an unknown version"}, '
            f"and {problem.project.compose} is in use: "
            "whether its definition changed is not known; if it did, Compose replaces it"
        )


def _hosts(problem: PlanningProblem) -> Iterator[str]:
    """Say which hosts did not answer, and which could load an excluded model again at any time."""
    wanted, rules = members(problem.target, problem.rules), problem.rules
    for host, loaded in problem.observed.loaded.items():
        daemon = rules.daemon(host)
        asked = [name for name in problem.target.models if rules.workloads[name].host == host]
        if daemon and host in problem.observed.absent and asked:
            yield f"{host} does not answer at {rules.hosts[host].address}: {', '.join(asked)} can be loaded once it runs there"
        if loaded is None and not daemon:
            yield f"{host} does not say which models it has loaded; those admitted count as loaded"
        if daemon and any(exclusive(problem.rules, member(problem.rules, host), other) for other in wanted):
            address = problem.rules.hosts[host].address
            yield f"{host} at {address} is outside Docker: any client can load a model there again; a guard unloads it each time"


def _page_cache(problem: PlanningProblem) -> Iterator[str]:
    """CUDA on unified memory counts only what is free, not what the page cache would give back."""
    memory = problem.observed.memory
    if memory.free is None or memory.available is None or not problem.to_start or problem.request.drop_caches:
        return
    planned = required_memory(problem.starting_workloads, problem.rules, force=True)
    released = sum(one.footprint.planned for one in problem.released)
    if memory.free + released < planned <= memory.available + released:
        yield (
            f"only {gb_text(memory.free)} are free without the page cache, and CUDA counts only those; if a model fails to load, "
            "ask again with --drop-caches as root, or run: sudo sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'"
        )


def _kept(container: Container, target: Target, project: Project, rules: Rules, observed: Observed) -> Iterator[str]:
    service = project.services[container.service or ""]
    varied = container.variant or variant_of(service.name, target, rules, observed) != _default(service.name, rules)
    if service.config_hash not in (None, container.config_hash) and not varied:
        yield (
            f"{service.name} runs with an earlier definition and is kept; "
            f"spark-mode stop {service.name}, then the same request, applies the new one"
        )
    if container.health == "unhealthy":
        yield f"{service.name} is unhealthy and is kept; look at its log: docker logs {container.name}"


def _default(service: str, rules: Rules) -> str | None:
    workload = rules.of_service(service)
    return workload.default_variant if workload else None


def _with_training(target: Target, rules: Rules, observed: Observed) -> tuple[str, ...]:
    names = dict.fromkeys([*target.services, *observed.active_services])
    return tuple(name for name in names if rules.runs_to_end(rules.of_service(name)))


def _grace(name: str, project: Project, observed: Observed) -> Iterator[str]:
    container = observed.container_of(name)
    if container and container.active:
        grace: float = container.stop_seconds
    elif name in project.services:
        grace = project.services[name].stop_grace_seconds
    else:
        return
    if grace < SHORT_GRACE:
        yield f"{name} has {grace:g} s to write its checkpoint before it is killed; raise its stop_grace_period"
    file_grace = project.services[name].stop_grace_seconds if name in project.services else grace
    if container and container.active and file_grace != container.stop_seconds:
        yield f"{name} keeps the {container.stop_seconds} s of grace it was created with; the file now says {file_grace:g} s"
