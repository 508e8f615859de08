"""Why a request must not be carried out: the rules, what cannot be judged, the engine's set-up, and memory."""

from collections.abc import Iterator

from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.budget import Budget, overhead
from spark_mode.planning.choice import Lack
from spark_mode.planning.conflicts import Member, conflicts, exclusive, member
from spark_mode.planning.foreign import foreign_conflicts
from spark_mode.planning.observed import LEASED, Observed, running_workload
from spark_mode.planning.plan import Refusal
from spark_mode.planning.request import Request, Target
from spark_mode.planning.target import members
from spark_mode.planning.work import Work


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


def _foreign_refusal(target: Target, wanted: tuple[Member, ...], rules: Rules, observed: Observed) -> Refusal | None:
    """Return the refusal of what meets containers that are not the lab's, with the command that stops them all."""
    met = list(foreign_conflicts((*target.services, *target.models), wanted, rules, observed))
    if not met:
        return None
    names = " ".join(dict.fromkeys(one.foreign.container.name for one in met if one.foreign.container.state != LEASED))
    hint = f"spark-mode never stops what is not the lab's; stop it yourself: docker stop {names}"
    if not names:
        hint = f"it is about to start; see who starts it: spark-mode -p {met[0].foreign.project} status"
    return Refusal(message=f"the container {met[0]}", hint=hint)


def unclassified_refusal(rules: Rules, observed: Observed) -> Refusal | None:
    """Return the refusal to switch while something of the lab runs, under any name, that rules.yaml cannot place."""
    own = ((one, one.service or "") for one in observed.active)
    foreign = ((one.container, one.name) for one in observed.foreign if one.name not in rules.workloads)
    for container, service in (*own, *foreign):
        known = rules.host_of_service(service) or running_workload(rules, service, container.variant)
        if not service or known is None:
            return Refusal(
                message=f'"{container.name}" is {container.state} and its service "{service}" is not in rules.yaml',
                hint=f"describe it under workloads in rules.yaml, or stop it: docker stop {container.name}",
            )
    return None


def engine_refusal(work: Work) -> Refusal | None:
    """Return what in the engine would make a start fail, or do harm, when Compose creates what it needs."""
    if not work.to_start:
        return None
    return _gpu_refusal(work) or _dead_refusal(work) or _image_refusal(work) or _changed_refusal(work)


def _gpu_refusal(work: Work) -> Refusal | None:
    needing = [name for name in work.to_start if work.project.services[name].reserves_gpu]
    if not needing or work.observed.gpu_runtime:
        return None
    reserve = "reserves" if len(needing) == 1 else "reserve"
    return Refusal(
        message=f"{', '.join(needing)} {reserve} a GPU, and this Docker engine has no NVIDIA runtime",
        hint="install the NVIDIA Container Toolkit and run `nvidia-ctk runtime configure --runtime=docker`",
        kind="configuration",
    )


def _dead_refusal(work: Work) -> Refusal | None:
    """A container that Docker could not remove whole can be neither started nor replaced."""
    found = (work.observed.container_of(name) for name in work.to_start)
    dead = next((one for one in found if one and one.state == "dead"), None)
    if dead is None:
        return None
    message = f'the container "{dead.name}" of {dead.service} is dead, and nothing starts it again'
    return Refusal(message=message, hint=f"docker rm -f {dead.name}", kind="configuration")


def _image_refusal(work: Work) -> Refusal | None:
    """A build may take an hour, and nobody else can switch meanwhile: it is done before, by hand, and seen."""
    services = {name: work.project.services[name] for name in work.to_create}
    missing = [name for name, one in services.items() if one.builds and one.image not in work.observed.images]
    if not missing or not work.observed.complete:
        return None
    have = "has no image yet" if len(missing) == 1 else "have no images yet"
    return Refusal(
        message=f"{', '.join(missing)} {have}, and a switch builds none",
        hint=f"docker compose --profile '*' build {' '.join(missing)}",
        kind="configuration",
    )


def _changed_refusal(work: Work) -> Refusal | None:
    changed = next(changed_parts(work, by_this_compose=True), None)
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


def changed_parts(work: Work, by_this_compose: bool) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and maker of the networks and volumes whose hash is not that of their definition.

    Which definition it is of is certain only where the Compose in use wrote it: another one may reckon it otherwise.
    """
    project, observed = work.project, work.observed
    for kind, wanted, existing in (
        ("network", project.networks, observed.networks),
        ("volume", project.volumes, observed.volumes),
    ):
        for name, config_hash in wanted.items():
            one = existing.get(name)
            if one and one.config_hash != config_hash and (one.compose == project.compose) == by_this_compose:
                yield kind, name, one.compose


def allowed_total(work: Work, capacity: int) -> int:
    """Return the largest declared total, bytes and overhead included, that a request is admitted with."""
    limits, total = work.rules.limits, work.observed.memory.total
    safe = capacity if work.request.force else min(limits.tight, capacity - limits.headroom)
    return min(safe, capacity, capacity if total is None else total)


def lacking(work: Work, capacity: int) -> Lack:
    """Return what must become free so that a request fits beside everything that runs; nothing when it starts nothing."""
    if not adds(work):
        return Lack()
    rules, observed = work.rules, work.observed
    everything = {one.name: one for one in (*observed.workloads(rules), *work.asked_for)}.values()
    total = sum(one.footprint.planned for one in everything) + overhead(everything, rules)
    available = observed.memory.available
    required = required_memory(work.starting_workloads, rules, work.request.force)
    leaving = [one for one in observed.workloads(rules) if one.service in work.other_variants]
    coming_back = 0 if available is None else available + sum(one.footprint.planned for one in leaving)
    return Lack(
        declared=max(0, total - allowed_total(work, capacity)),
        available=0 if available is None or not observed.complete else max(0, required - coming_back),
    )


def adds(work: Work) -> bool:
    """Whether a request starts a service, or admits a model that was not."""
    return bool(work.to_start) or any(name not in work.observed.models for name in work.target.models)


def budget_refusal(work: Work, reckoned: Budget, capacity: int) -> Refusal | None:
    """Return the refusal of a set whose declared memory does not fit."""
    if not adds(work) or reckoned.total <= allowed_total(work, capacity):
        return None
    reason = next((one.because for one in reckoned.reasons if one.rule.startswith(("capacity", "limits"))), None)
    total = work.observed.memory.total
    if reason is None or (total is not None and total < min(capacity, reckoned.total)):
        what = f"{gb_text(reckoned.total)} are more than this machine's {gb_text(total or capacity)}"
    else:
        what = f"{reckoned.memory}: {reason}"
    names = ", ".join(f"{one.label} {one.footprint.planned / 10**9:g}" for one in reckoned.workloads)
    return Refusal(message=f"{what} ({names}, overhead {reckoned.overhead / 10**9:g}; GB)")


def memory_refusal(work: Work) -> Refusal | None:
    """Return the refusal when the memory that is really free, with what the stops give back, cannot be enough."""
    starting, stopped, request = work.starting_workloads, work.released, work.request
    if not adds(work):
        return None
    available = work.observed.memory.available
    if available is None:
        unknown = Refusal(message="this machine does not tell its available memory", hint="--force starts without that check")
        return None if request.force else unknown
    required = required_memory(starting, work.rules, request.force)
    released = sum(workload.footprint.planned for workload in stopped)
    if available + released >= required:
        return None
    names = ", ".join(workload.label for workload in starting)
    frees = f", and stopping {', '.join(one.label for one in stopped)} frees {gb_text(released)}" if stopped else ""
    needs = "needs" if len(starting) == 1 else "need"
    reserve = "floor" if request.force else "headroom"
    return Refusal(
        message=f"{names} {needs} {gb_text(required)} with the {reserve}; {gb_text(available)} are available{frees}",
        measured=True,
    )


def daemon_refusal(work: Work) -> Refusal | None:
    """Return the refusal when a daemon whose models a rule excludes does not say what it has loaded."""
    wanted = members(work.target, work.rules)
    for host, loaded in work.observed.loaded.items():
        one = member(work.rules, host) if work.rules.daemon(host) else None
        conflict = next((hit for other in wanted if one and (hit := exclusive(work.rules, one, other))), None)
        if loaded is None and conflict:
            address = work.rules.hosts[host].address
            return Refusal(
                message=f"{host} at {address} does not say which models it has loaded, and {conflict.rule.because}",
                hint=f"look at it: curl {address}/api/ps; if it is not used, stop it or take it out of hosts in rules.yaml",
                kind="unknown",
            )
    return None


def leftover_refusal(work: Work) -> Refusal | None:
    """Return the refusal when what stays and cannot be stopped still breaks a rule beside the target."""
    wanted = members(work.target, work.rules)
    there = [*wanted, *(member(work.rules, one.name) for one in work.remaining.workloads(work.rules) if one.name)]
    unique = list({one.workload or one.name: one for one in there}.values())
    if conflict := next(conflicts(work.rules, unique), None):
        return Refusal(message=f"{work.request}: {conflict}", hint=f"rule {conflict.rule.name}; stop one of them first")
    return None
