"""Why a request must not be carried out: the rules, what cannot be judged, the engine's set-up, and memory."""

from collections.abc import Iterator

from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.beside_by_nature import name_refusal
from spark_mode.planning.budget import Budget, overhead
from spark_mode.planning.choice import Shortfall
from spark_mode.planning.conflicts import Member, conflicts, exclusive, foreign_member, member
from spark_mode.planning.container import LEASED
from spark_mode.planning.foreign_conflicts import foreign_conflicts, stop_it_yourself
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Refusal
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.request import Request
from spark_mode.planning.target import DESCRIBE_IT, Target, is_described, members


def required_memory(starting: tuple[Workload, ...], rules: Rules, force: bool) -> int:
    """Return the bytes that must be available before these start: what is planned, and the headroom.

    With `force` the floor stands in for the headroom: below it a start is aborted anyway.
    """
    reserve = rules.limits.floor if force else rules.limits.headroom
    return sum(workload.footprint.planned for workload in starting) + reserve


def rule_refusal(request: Request, target: Target, rules: Rules, observed: Observed) -> Refusal | None:
    """Return why the rules forbid a request: it excludes itself, or meets a container that is not ours to stop."""
    wanted = members(target, rules)
    if conflict := next(conflicts(rules, wanted), None):
        advice = "ask for one of them" if request.verb != "restore" else "ask for a mode by name"
        return Refusal(message=f"{request}: {conflict}", hint=f"rule {conflict.rule.name}; {advice}")
    return _foreign_refusal(target, wanted, rules, observed)


def never_started_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal of a request that names a plain command, or what is known only by its containers outside the lab."""
    name = next(iter(problem.target.only_outside), None)
    if name is None:
        return None
    there = [one.container.name for one in problem.observed.foreign if one.name == name]
    if problem.rules.workloads[name].command:
        return Refusal(message=f"{name} is a plain command in rules.yaml", hint=f"run it: spark-mode run --as {name} -- COMMAND")
    message = f"{name} is not this lab's to start: rules.yaml knows it only by its containers outside"
    counted = f"it counts already, as the container {', '.join(there)}"
    return Refusal(message=message, hint=counted if there else "start it where it is at home; then it counts")


def _foreign_refusal(target: Target, wanted: tuple[Member, ...], rules: Rules, observed: Observed) -> Refusal | None:
    """Return the refusal of what meets containers that are not the lab's, with the command that stops them all."""
    command = [target.command.name] if target.command else []
    met = list(foreign_conflicts((*target.services, *target.models, *command), wanted, rules, observed))
    if not met:
        return None
    about_to_start = f"it is about to start; see who starts it: spark-mode -p {met[0].foreign.project} status"
    return Refusal(message=str(met[0]), hint=stop_it_yourself([one.foreign for one in met]) or about_to_start)


def unclassified_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal to switch while something of the lab runs, under any name, that rules.yaml cannot place."""
    project, rules, observed = problem.project, problem.rules, problem.observed
    own = ((one, one.service or "") for one in observed.active)
    foreign = ((one.container, one.name) for one in observed.foreign if one.name not in rules.workloads)
    for container, service in (*own, *foreign):
        is_it, stop = f'"{container.name}" is {container.condition}', f"stop it: docker stop {container.name}"
        if not service:
            return Refusal(message=f"{is_it}, and its labels name no service", hint=stop)
        if not is_described(service, project, rules):
            hint = DESCRIBE_IT if container.state == LEASED else f"{DESCRIBE_IT}, or {stop}"
            return Refusal(message=f'{is_it} and its service "{service}" is not in rules.yaml', hint=hint)
    return None


def engine_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return what in the engine would make a start fail, or do harm, or lets nobody say whether what is asked for is up."""
    if unsettled := _unsettled_refusal(problem):
        return unsettled
    if not problem.to_start:
        return None
    return (
        _gpu_refusal(problem)
        or _dead_refusal(problem)
        or name_refusal(problem)
        or _image_refusal(problem)
        or _changed_refusal(problem)
    )


def _unsettled_refusal(problem: PlanningProblem) -> Refusal | None:
    """A container on its way out, or in no known state, holds its memory: it is neither up nor to be started over."""
    for container in filter(None, map(problem.observed.container_of, problem.target.services)):
        if container.state == "removing":
            message = f'the container "{container.name}" of {container.service} is being removed'
            return Refusal(message=message, hint=f"ask again once it is gone; if it stays: docker rm -f {container.name}")
        if container.state == "unknown":
            message = f'the state of the container "{container.name}" of {container.service} is not known'
            hint = f"see what Docker says of it: docker inspect {container.name}"
            return Refusal(message=message, hint=hint, kind="unknown")
    return None


def _gpu_refusal(problem: PlanningProblem) -> Refusal | None:
    needing = [name for name in problem.to_start if problem.project.services[name].needs_gpu_runtime]
    if not needing or problem.observed.gpu_runtime:
        return None
    reserve = "reserves" if len(needing) == 1 else "reserve"
    return Refusal(
        message=f"{', '.join(needing)} {reserve} a GPU, and this Docker engine has no NVIDIA runtime",
        hint="install the NVIDIA Container Toolkit and run `nvidia-ctk runtime configure --runtime=docker`",
        kind="configuration",
    )


def _dead_refusal(problem: PlanningProblem) -> Refusal | None:
    """A container that Docker could not remove whole can be neither started nor replaced."""
    found = (problem.observed.container_of(name) for name in problem.to_start)
    dead = next((one for one in found if one and one.state == "dead"), None)
    if dead is None:
        return None
    message = f'the container "{dead.name}" of {dead.service} is dead, and nothing starts it again'
    return Refusal(message=message, hint=f"docker rm -f {dead.name}", kind="configuration")


def _image_refusal(problem: PlanningProblem) -> Refusal | None:
    """A build may take an hour, and nobody else can switch meanwhile: it is done before, by hand, and seen.

    So is a pull for what is created only when something has been stopped for it.
    """
    services = {name: problem.project.services[name] for name in problem.to_create}
    missing = [name for name, one in services.items() if one.image not in problem.observed.images]
    by_hand = [name for name in missing if services[name].builds] or [name for name in missing if name in problem.created_late]
    if not by_hand or not problem.observed.complete:
        return None
    verb = "build" if services[by_hand[0]].builds else "pull"
    part = problem.project.part_of(by_hand[0])
    together = "" if part.apart else "--profile '*' "
    where = f"in the folder of {part.name}: " if problem.project.parts else ""
    plain = [problem.project.plain_name(name) for name in by_hand if problem.project.part_of(name) is part]
    have = "has no image yet" if len(by_hand) == 1 else "have no images yet"
    return Refusal(
        message=f"{', '.join(by_hand)} {have}, and a switch {verb}s none",
        hint=f"{where}docker compose {together}{verb} {' '.join(plain)}",
        kind="configuration",
    )


def _changed_refusal(problem: PlanningProblem) -> Refusal | None:
    changed = next(changed_parts(problem, by_this_compose=True), None)
    if changed is None:
        return None
    kind, name, _ = changed
    hint = f"put its definition back, or stop what uses it and run: docker {kind} rm {name}"
    if kind == "volume":
        hint += " (this deletes its data)"
    return Refusal(
        message=f'the definition of the {kind} "{name}" changed after it was created; Compose would replace it',
        hint=hint,
        kind="configuration",
    )


def changed_parts(problem: PlanningProblem, by_this_compose: bool) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and maker of the networks and volumes whose hash is not that of their definition.

    Which definition it is of is certain only where the Compose in use wrote it: another one may reckon it otherwise.
    """
    project, observed = problem.project, problem.observed
    for kind, wanted, existing in (
        ("network", project.networks, observed.networks),
        ("volume", project.volumes, observed.volumes),
    ):
        for name, config_hash in wanted.items():
            one = existing.get(name)
            if one and one.config_hash != config_hash and (one.compose == project.compose) == by_this_compose:
                yield kind, name, one.compose


def allowed_total(problem: PlanningProblem, capacity: int) -> int:
    """Return the largest declared total, bytes and overhead included, that a request is admitted with."""
    limits, total = problem.rules.limits, problem.observed.memory.total
    safe = capacity if problem.request.force else min(limits.tight, capacity - limits.headroom)
    return min(safe, capacity, capacity if total is None else total)


def lacking(problem: PlanningProblem, capacity: int) -> Shortfall:
    """Return what must become free so that a request fits beside everything that runs; nothing when it starts nothing."""
    if not adds(problem):
        return Shortfall()
    rules, observed = problem.rules, problem.observed
    total = sum(one.footprint.planned for one in problem.after) + overhead(problem.after, rules)
    available = observed.memory.available
    required = required_memory(problem.starting_workloads, rules, problem.request.force)
    leaving = [one for one in observed.copies(rules) if one.service in problem.renewed]
    coming_back = 0 if available is None else available + sum(one.footprint.planned for one in leaving)
    return Shortfall(
        declared=max(0, total - allowed_total(problem, capacity)),
        available=0 if available is None or not observed.complete else max(0, required - coming_back),
    )


def adds(problem: PlanningProblem) -> bool:
    """Whether a request starts a service or a command, loads a model, or admits one that was not."""
    new = (name for name in problem.target.models if name not in problem.observed.models)
    return bool(problem.to_start or problem.to_load or problem.target.command) or any(new)


def budget_refusal(problem: PlanningProblem, reckoned: Budget, capacity: int) -> Refusal | None:
    """Return the refusal of a set whose declared memory does not fit."""
    if not adds(problem) or reckoned.total <= allowed_total(problem, capacity):
        return None
    reason = next((one.because for one in reckoned.reasons if one.rule.startswith(("capacity", "limits"))), None)
    total = problem.observed.memory.total
    if reason is None or (total is not None and total < min(capacity, reckoned.total)):
        what = f"{gb_text(reckoned.total)} are more than this machine's {gb_text(total or capacity)}"
    else:
        what = f"{reckoned.memory}: {reason}"
    names = ", ".join(f"{one.label} {one.footprint.planned / 10**9:g}" for one in reckoned.workloads)
    return Refusal(message=f"{what} ({names}, overhead {reckoned.overhead / 10**9:g}; GB)")


def memory_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal when the memory that is really free, with what the stops give back, cannot be enough."""
    starting, stopped, request = problem.starting_workloads, problem.released, problem.request
    if not adds(problem):
        return None
    available = problem.observed.memory.available
    if available is None:
        unknown = Refusal(message="this machine does not tell its available memory", hint="--force starts without that check")
        return None if request.force else unknown
    required = required_memory(starting, problem.rules, request.force)
    released = sum(workload.footprint.planned for workload in stopped)
    if available + released >= required:
        return None
    names = ", ".join(problem.starting_names)
    frees = (
        f", and stopping {', '.join(dict.fromkeys(one.label for one in stopped))} frees {gb_text(released)}" if stopped else ""
    )
    needs = "needs" if len(problem.starting_names) == 1 else "need"
    reserve = "floor" if request.force else "headroom"
    return Refusal(
        message=f"{names} {needs} {gb_text(required)} with the {reserve}; {gb_text(available)} are available{frees}",
        measured=True,
    )


def daemon_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal when a daemon whose models a rule excludes does not say what it has loaded."""
    wanted = members(problem.target, problem.rules)
    for host, loaded in problem.observed.loaded.items():
        one = member(problem.rules, host) if problem.rules.daemon(host) else None
        conflict = next((hit for other in wanted if one and (hit := exclusive(problem.rules, one, other))), None)
        if loaded is None and conflict:
            address = problem.rules.hosts[host].address
            return Refusal(
                message=f"{host} at {address} does not say which models it has loaded, and {conflict.rule.because}",
                hint=f"look at it: curl {address}/api/ps; if it is not used, stop it or take it out of hosts in rules.yaml",
                kind="unknown",
            )
    return None


def leftover_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal when what stays and cannot be stopped still breaks a rule beside the target."""
    wanted, target, remaining = members(problem.target, problem.rules), problem.target, problem.remaining
    names = [*remaining.active_services, *(one.name for one in remaining.foreign), *remaining.models]
    there = (foreign_member(problem.rules, name) for name in names if name not in (*target.services, *target.models))
    unique = {one.workload or one.name: one for one in there}.values()
    in_order = sorted(unique, key=lambda one: problem.rules.position(one.workload or ""))
    conflict = next(conflicts(problem.rules, wanted, in_order), None)
    if conflict is None:
        return None
    foreign = [one for one in problem.observed.foreign if conflict.concerns(foreign_member(problem.rules, one.name))]
    stops = [one.how_to_stop for one in foreign if not one.is_about_to_start]
    return Refusal(
        message=f"{problem.request}: {conflict}" + (f"; {', '.join(map(str, foreign))}" if foreign else ""),
        hint=f"rule {conflict.rule.name}; stop one of them first" + (f": {', or: '.join(stops)}" if stops else ""),
    )
