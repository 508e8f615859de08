"""What must stop to admit a target, and why: first what a rule excludes, then what the mode does not need.

Never what the target needs. Whatever neither excludes stays, and so does what a service that stays depends on.
"""

from pydantic import BaseModel, ConfigDict

from composer.errors import UsageFault
from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.conflicts import crowded, exclusive, member
from composer.planning.observed import Observed
from composer.planning.plan import Preemption, Refusal
from composer.planning.request import Request, Target, find_workload
from composer.planning.target import members


class Stopping(BaseModel):
    """A service to stop, the cause in words, and the preemption that it is; a stop that was asked for is none."""

    model_config = ConfigDict(frozen=True)

    service: str
    cause: str
    preemption: Preemption | None


def stopping(request: Request, target: Target, project: Project, rules: Rules, observed: Observed) -> list[Stopping]:
    """Return the services that a request stops, in order of name."""
    if request.verb == "stop":
        wanted = _named_services(request.names, project, rules, observed) if request.names else observed.active_services
        return [Stopping(service=name, cause="requested", preemption=None) for name in wanted]
    excluded = _excluded(target, rules, observed)
    excluded |= _crowded(target, rules, observed, set(excluded))
    unneeded = _unneeded(target, rules, observed, set(excluded))
    staying = [name for name in observed.active_services if name not in excluded and name not in unneeded]
    kept_for_others = set(project.closure(staying)) if target.scope is not None else set()
    chosen = excluded | {name: one for name, one in unneeded.items() if name not in kept_for_others}
    return [chosen[name] for name in sorted(chosen)]


def dependents_refusal(stopped: list[Stopping], project: Project, observed: Observed) -> Refusal | None:
    """Return the refusal of stopping services that something active, and not stopped itself, depends on."""
    going = {one.service for one in stopped}
    staying = [name for name in observed.active_services if name not in going]
    for one in stopped:
        if needing := project.dependents(one.service, staying):
            also = " ".join([*sorted(going), *needing])
            return Refusal(message=f"{', '.join(needing)} depends on {one.service}", hint=f"stop both: spark-mode stop {also}")
    return None


def dropped_models(target: Target, rules: Rules, observed: Observed) -> tuple[str, ...]:
    """Return the admitted models that are of a class which the target sets exactly, and that are not in the target."""
    return tuple(
        model
        for model in observed.models
        if model not in target.models and (target.scope is None or rules.workloads[model].class_ in target.scope)
    )


def _excluded(target: Target, rules: Rules, observed: Observed) -> dict[str, Stopping]:
    wanted = members(target, rules)
    found: dict[str, Stopping] = {}
    for name in observed.active_services:
        one = member(rules, name)
        conflict = next((hit for other in wanted if (hit := exclusive(rules, one, other))), None)
        if conflict is None or name in target.services:
            continue
        served = [model for model in observed.models if model in one.serves] or list(one.serves)
        cause = f"serves {', '.join(served)}, and {conflict.rule.because}" if one.serves else conflict.rule.because
        found[name] = _preempted(name, cause, "exclusive", conflict.rule.name)
    return found


def _crowded(target: Target, rules: Rules, observed: Observed, gone: set[str]) -> dict[str, Stopping]:
    """Stop what an `at_most` rule has no more room for: what the request does not need, lowest priority first."""
    wanted = {workload.name for name in target.services if (workload := rules.of_service(name))} | set(target.models)
    running = {one.name for name in observed.active_services if name not in gone and (one := rules.of_service(name))}
    found: dict[str, Stopping] = {}
    for rule, present in crowded(rules, wanted | running):
        spare = sorted(
            (name for name in present if name not in wanted and rules.workloads[name].service),
            key=lambda name: (rules.workloads[name].priority, -rules.position(name)),
        )
        for name in spare[: len(present) - rule.at_most]:
            service = rules.service_of(rules.workloads[name])
            found[service] = _preempted(service, rule.because, "exclusive", rule.name)
    return found


def _unneeded(target: Target, rules: Rules, observed: Observed, gone: set[str]) -> dict[str, Stopping]:
    found: dict[str, Stopping] = {}
    cause = f"{target.mode or 'the mode before'} does not need it"
    dropped = set(dropped_models(target, rules, observed))
    for name in observed.active_services:
        if name in target.services or name in gone:
            continue
        workload, host = rules.of_service(name), rules.host_of_service(name)
        if host:
            served = {model.name for model in rules.models_of_host(host)} & set(observed.models)
            unneeded = target.scope is None or bool(served and served <= dropped)
        else:
            unneeded = target.scope is None or bool(workload and workload.class_ in target.scope)
        if unneeded:
            found[name] = _preempted(name, cause, "mode", None)
    return found


def _preempted(service: str, cause: str, reason: str, rule: str | None) -> Stopping:
    preemption = Preemption.model_validate({"name": service, "reason": reason, "rule": rule})
    return Stopping(service=service, cause=cause, preemption=preemption)


def _named_services(names: tuple[str, ...], project: Project, rules: Rules, observed: Observed) -> tuple[str, ...]:
    """Return the active services that `stop NAME…` means: workloads first, then services, then profiles."""
    found: list[str] = []
    for name in names:
        workload = rules.find(name)
        if workload and workload.model:
            host = rules.service_of(workload)
            raise UsageFault(f"{name} is a model; its host is what can be stopped", f"spark-mode stop {host}")
        if workload:
            found.append(rules.service_of(workload))
        elif name in project.services or name in observed.active_services:
            found.append(name)
        elif name in project.profiles:
            found += [one for one in project.of_profile(name) if project.services[one].profiles == (name,)]
        else:
            find_workload(rules, name, (*project.services, *project.profiles))
    return tuple(name for name in dict.fromkeys(found) if name in observed.active_services)
