"""Why a request must not be carried out: the rules, what cannot be judged, the engine's set-up, and memory."""

from collections.abc import Iterator

from composer.lab.project import Project
from composer.lab.rules import Rules, Workload
from composer.lab.size import gb_text
from composer.planning.budget import Budget, budget
from composer.planning.conflicts import conflicts, exclusive, member
from composer.planning.observed import Observed, running_workload
from composer.planning.plan import Refusal
from composer.planning.request import Request, Target
from composer.planning.target import members


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
    for foreign in observed.foreign:
        other = member(rules, foreign.workload)
        clash = next((hit for one in wanted if (hit := exclusive(rules, one, other))), None)
        if clash or any(one.name in (other.name, _service(rules, other.name)) for one in wanted):
            because = clash.rule.because if clash else f"it is {foreign.workload}, started outside this lab"
            name = foreign.container.name
            return Refusal(
                message=f'the container "{name}" outside this lab is {foreign.container.state}: {because}',
                hint=f"spark-mode never stops what is not the lab's; stop it yourself: docker stop {name}",
            )
    return None


def _service(rules: Rules, workload: str) -> str | None:
    return rules.workloads[workload].service


def unclassified_refusal(rules: Rules, observed: Observed) -> Refusal | None:
    """Return the refusal to switch while something of the project runs that rules.yaml cannot place."""
    for container in observed.active:
        service = container.service or ""
        known = rules.host_of_service(service) or running_workload(rules, service, container.variant)
        if not service or known is None:
            return Refusal(
                message=f'"{container.name}" is {container.state} and its service "{service}" is not in rules.yaml',
                hint=f"describe it under workloads in rules.yaml, or stop it: docker stop {container.name}",
            )
    return None


def engine_refusal(touched: tuple[str, ...], project: Project, observed: Observed) -> Refusal | None:
    """Return what in the engine's set-up would make Compose fail, or do harm, when it creates these services."""
    if not touched:
        return None
    needing = [name for name in touched if project.services[name].reserves_gpu]
    if needing and not observed.gpu_runtime:
        return Refusal(
            message=f"{', '.join(needing)} reserves a GPU, and this Docker engine has no NVIDIA runtime",
            hint="install the NVIDIA Container Toolkit and run `nvidia-ctk runtime configure --runtime=docker`",
            kind="configuration",
        )
    changed = [*_changed("network", project.networks, observed.networks), *_changed("volume", project.volumes, observed.volumes)]
    if changed:
        kind, name = changed[0]
        hint = f"put its definition back, or stop what uses it and run: docker {kind} rm {name}"
        if kind == "volume":
            hint += " (this deletes its data)"
        return Refusal(
            message=f'the definition of the {kind} "{name}" changed after it was created; Compose would replace it',
            hint=hint,
            kind="configuration",
        )
    return None


def _changed(kind: str, wanted: dict[str, str], existing: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, config_hash in wanted.items():
        if existing.get(name, config_hash) != config_hash:
            yield kind, name


def budget_refusal(
    request: Request, target: Target, rules: Rules, reckoned: Budget, kept: tuple[Workload, ...], observed: Observed
) -> Refusal | None:
    """Return the refusal of a set whose declared memory does not fit, with what could be stopped to make it fit."""
    if reckoned.memory == "does-not-fit" or (reckoned.memory == "oom-risk" and not request.force):
        because = next(reason.because for reason in reckoned.reasons if reason.rule.startswith(("capacity", "limits")))
        return _too_much(f"{reckoned.memory}: {because}", rules, reckoned, kept, target)
    total = observed.memory.total
    if total is not None and reckoned.total > total:
        what = f"{gb_text(reckoned.total)} are more than this machine's {gb_text(total)}"
        return _too_much(what, rules, reckoned, kept, target)
    return None


def _too_much(what: str, rules: Rules, reckoned: Budget, kept: tuple[Workload, ...], target: Target) -> Refusal:
    names = ", ".join(f"{one.label} {one.footprint.planned / 10**9:g}" for one in reckoned.workloads)
    message = f"{what} ({names}, overhead {reckoned.overhead / 10**9:g}; GB)"
    helping = [one for one in kept if one.class_ != "training" and one.name not in target.models]
    single = [one for one in helping if _fits_without([one], rules, reckoned)]
    if single:
        return Refusal(message=message, hint=f"it would fit without {_stop_one_of(single, rules)}")
    if helping and _fits_without(helping, rules, reckoned):
        services = dict.fromkeys(rules.service_of(one) for one in helping)
        return Refusal(message=message, hint=f"it would fit without all of: spark-mode stop {' '.join(services)}")
    hint = "--force admits oom-risk, at the price of a freeze" if reckoned.memory == "oom-risk" else None
    return Refusal(message=message, hint=hint or "ask for less: no stop makes room for it")


def _fits_without(gone: list[Workload], rules: Rules, reckoned: Budget) -> bool:
    names = {one.name for one in gone}
    rest = [one for one in reckoned.workloads if one.name not in names]
    return budget(rest, rules, reckoned.capacity).memory not in ("oom-risk", "does-not-fit")


def _stop_one_of(candidates: list[Workload], rules: Rules) -> str:
    ordered = sorted(candidates, key=lambda one: (one.priority, -rules.position(one.name)))
    return " or ".join(f"{one.label} (spark-mode stop {rules.service_of(one)})" for one in ordered)


def memory_refusal(
    request: Request, rules: Rules, starting: tuple[Workload, ...], stopped: tuple[Workload, ...], observed: Observed
) -> Refusal | None:
    """Return the refusal when the memory that is really free, with what the stops give back, cannot be enough."""
    if not starting:
        return None
    available = observed.memory.available
    if available is None:
        return None if request.force else Refusal(
            message="this machine does not tell its available memory", hint="--force starts without that check"
        )  # fmt: skip
    required = required_memory(starting, rules, request.force)
    released = sum(workload.footprint.planned for workload in stopped)
    if available + released >= required:
        return None
    names = ", ".join(workload.label for workload in starting)
    frees = f", and stopping {', '.join(one.label for one in stopped)} frees {gb_text(released)}" if stopped else ""
    needs = "needs" if len(starting) == 1 else "need"
    reserve = "floor" if request.force else "headroom"
    return Refusal(
        message=f"{names} {needs} {gb_text(required)} with the {reserve}; {gb_text(available)} are available{frees}",
        hint="something else holds the memory: `spark-mode status` shows what runs; --force lowers the headroom to the floor",
    )
