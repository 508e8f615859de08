"""Which modes may be active together: judged by all that each of them starts, never by what its profile is called."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.by_nature import with_nature
from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.lab.workload import Workload
from spark_mode.planning.budget import BUDGET_KEYS, OF_MEMORY, Budget, Reason, budget
from spark_mode.planning.conflicts import conflicts
from spark_mode.planning.mode import base_services, mode_text
from spark_mode.planning.named_workload import find_named
from spark_mode.planning.observed import Observed
from spark_mode.planning.request import ModeRequest
from spark_mode.planning.resolve import resolve
from spark_mode.planning.target import Target, leave_out_excluded, members, require_described, require_startable, workloads

NAMED = 5
"""How many workloads of a profile are named in a line."""


class ModeChoice(NamedTuple):
    """A mode in one of its profiles, and as it is asked for; None is the profile of a mode of services."""

    mode: str
    profile: str | None
    text: str


class Together(NamedTuple):
    """Two modes, and the budget of both; where none can be made `unknown` says why."""

    one: ModeChoice
    other: ModeChoice
    budget: Budget | None
    unknown: str | None = None

    @property
    def verdict(self) -> tuple[str, str]:
        """The decision, and the first reason for it."""
        if self.budget is None:
            return "unknown", self.unknown or ""
        reasons = sorted(self.budget.reasons, key=lambda one: one.rule in OF_MEMORY)  # a rule holds however little they take
        return self.budget.decision, next((one.because for one in reasons), "")

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form; what is not known is null."""
        names = {"one": self.one.text, "other": self.other.text}
        if self.budget:
            return {**names, **self.budget.as_json()}
        reasons = [{"rule": "compose", "because": self.unknown}]
        return {**names, **dict.fromkeys(BUDGET_KEYS), "decision": "unknown", "reasons": reasons}


def modes_together(rules: Rules, project: Project | None, capacity: int) -> Iterator[Together]:
    """Yield every two modes. `capacity` is the declared memory in bytes; without a project nothing is known of any."""
    rules = with_project(rules, project) if project else rules
    rules = with_nature(rules, project) if project else rules
    choices = [
        ModeChoice(name, profile, mode_text(rules, name, profile))
        for name, mode in rules.modes.items()
        for profile in mode.choices
    ]
    for one, other in combinations(choices, 2):
        if project is None:
            yield Together(one, other, None, "the Compose files cannot be read, so what a mode starts is not known")
            continue
        try:
            target = _both(one, other, project, rules)
        except ConfigurationError as error:
            yield Together(one, other, None, error.message)
        else:
            yield Together(one, other, _judged(target, rules, capacity))


def named_workloads(names: Iterable[str], rules: Rules, project: Project | None) -> tuple[Workload, ...]:
    """Return exactly the workloads that are named, of a profile those that it starts, and what a service is that no workload is.

    Raises UsageFault for an unknown name, ConfigurationError for a service whose memory is not known.
    """
    project = project or Project(name="")
    rules = with_project(rules, project)
    found = [one for name in names for one in _named(project.asked_as(name), rules, project)]
    return tuple({one.name: one for one in found}.values())


def why_unknown(named: Iterable[Workload], rules: Rules, project: Project | None) -> str | None:
    """Return why one of these cannot be started: its service is one of several, or of what Compose cannot read."""
    project = project or Project(name="")
    rules = with_project(rules, project)
    for one in named:
        service = rules.service_of(rules.workloads.get(one.name, one))
        if service and service not in project.services and (meant := project.namesakes(service)):
            return f"{one.name} runs in the service {service}, and several projects have it: {' or '.join(meant)}"
        if service and (fault := project.fault_of(service)):
            return f"{one.name} cannot be started: {fault}"
    return None


def of_profile_too(names: Iterable[str], rules: Rules, project: Project | None) -> Iterator[str]:
    """Say of which names the workload alone is meant, where a profile has the name as well and starts more."""
    for name in names:
        workload = rules.find(name)
        if project and workload and name in project.profiles:
            started = workloads(_of_profile(name, rules, project), rules, Observed())
            if {one.name for one in started} != {workload.name}:
                yield f"{name} is the workload alone; its profile starts {few([one.label for one in started], NAMED)}"


def _named(name: str, rules: Rules, project: Project) -> tuple[Workload, ...]:
    if rules.find(name) is None and name in project.profiles:
        target = _of_profile(name, rules, project)
    elif rules.find(name) is None and name in project.services:
        target = Target(services=(name,))
    elif rules.find(name) is None and name in rules.modes:
        raise UsageFault(f'"{name}" is a mode, and is asked for as one', f"spark-mode plan {name}")
    else:
        return (find_named(name, project, rules, (*project.profiles, *project.services)),)
    require_described(target, project, rules)
    return workloads(target, rules, Observed())


def _of_profile(name: str, rules: Rules, project: Project) -> Target:
    """Return what a profile starts, and the models that it needs."""
    needs = rules.profiles.get(name)
    return Target(services=project.closure(project.of_profile(name)), models=needs.models if needs else ())


def exclude_each_other(pairs: Sequence[Together]) -> tuple[ModeChoice, ...]:
    """Return the modes of these pairs, where they are three or more and every two of them are such a pair; else none."""
    modes = tuple(dict.fromkeys(mode for pair in pairs for mode in (pair.one, pair.other)))
    return modes if len(modes) > 2 and len(pairs) == len(modes) * (len(modes) - 1) // 2 else ()


def _judged(target: Target, rules: Rules, capacity: int) -> Budget:
    """Return the budget of what two modes start, where hosts count for the rules though they have no footprint."""
    reckoned = budget(workloads(target, rules, Observed()), rules, capacity)
    conflict = next(conflicts(rules, members(target, rules)), None)
    if conflict is None or conflict.rule.name in {reason.rule for reason in reckoned.reasons}:
        return reckoned
    reason = Reason(rule=conflict.rule.name, because=conflict.rule.because, advice=conflict.rule.advice)
    return reckoned.model_copy(update={"compute": "no", "decision": "no", "reasons": (*reckoned.reasons, reason)})


def _both(one: ModeChoice, other: ModeChoice, project: Project, rules: Rules) -> Target:
    """Return what two modes start together, and of the services without a profile what no rule excludes beside them."""
    asked = [resolve(ModeRequest(mode=each.mode, profile=each.profile), project, rules) for each in (one, other)]
    named = project.closure(name for target in asked for name in target.named)
    target = Target(
        services=project.closure([*named, *base_services(project, rules, named)]),
        named=named,
        models=tuple(dict.fromkeys(model for target in asked for model in target.models)),
    )
    target = leave_out_excluded(target, project, rules)
    require_startable(target, project, rules)
    return target
