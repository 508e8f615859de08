"""What a mode means: the services and models that it runs, in one of its profiles and in a variant."""

from collections.abc import Iterable

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Mode, Rules
from spark_mode.lab.rules_of_project import absent_services, classes_of_mode, classes_of_target, rule_about
from spark_mode.lab.suggestion import or_elsewhere, suggest
from spark_mode.planning.collector import Collector
from spark_mode.planning.mode import mode_text
from spark_mode.planning.named_workload import find_workload, require_read
from spark_mode.planning.request import ModeRequest
from spark_mode.planning.taken import taken_by
from spark_mode.planning.target import Target


def mode_target(request: ModeRequest, project: Project, rules: Rules) -> Target:
    """Return what a mode runs. Raises UsageFault for unknown words, ConfigurationError where the files disagree."""
    mode = rules.modes.get(request.mode)
    if mode is None:
        raise ConfigurationError(f'this lab has no mode "{request.mode}"', "add it to modes in rules.yaml")
    profile = _profile_of(request, mode, rules)
    collector = Collector(project, rules)
    if profile is not None:
        _require_profile(profile, project)
        collector.profile(profile)
    for service in mode.services:
        collector.service(service, f"the mode {request.mode}")
    collector.needed(mode.models)
    named = list(collector.services)
    _require_class(request.mode, mode, collector)
    if request.variant:
        _in_variant(collector, rules, request.mode, request.variant)
    for name in request.extra:
        collector.workload(find_workload(rules, name))
    return collector.target(named, frozenset({mode.class_}), mode_text(rules, request.mode, profile))


def _require_profile(profile: str, project: Project) -> None:
    """Raise ConfigurationError when the Compose files do not have a mode's profile."""
    if profile not in project.profiles:
        require_read(project, profile, f"the mode has the profile {profile}")
        raise ConfigurationError(
            f'the mode\'s profile "{profile}" is not in the Compose files{suggest(profile, project.profiles)}',
            f"the Compose files have {', '.join(project.profiles) or 'no profiles'}; correct modes in rules.yaml"
            f"{or_elsewhere(profile, project.profiles)}",
        )


def _profile_of(request: ModeRequest, mode: Mode, rules: Rules) -> str | None:
    """Return the profile that is asked for, or the only one; None for a mode of services. Raises UsageFault."""
    asked, name = request.profile, request.mode
    if asked in mode.profiles:
        return asked
    if asked is None and len(mode.choices) == 1:
        return mode.choices[0]
    if not mode.profiles:
        raise UsageFault(f'{name} has no profile "{asked}", nor any other', f"spark-mode {name}")
    profiles = f"the profiles of {name} are {', '.join(mode.profiles)}"
    if asked is None:
        raise UsageFault(f"{name} is to run in which profile?", profiles)
    taken = taken_by(asked, rules)
    raise UsageFault(
        f'unknown {name} profile "{asked}"{suggest(asked, mode.profiles)}',
        f"{taken.because}: spark-mode {taken.request}" if taken else profiles,
    )


def _require_class(name: str, mode: Mode, collector: Collector) -> None:
    """Raise ConfigurationError where it is not known what class a mode is of, or nothing that it runs is of its class.

    That is allowed only where no rule keeps the class apart from anything: it would not hold for what the mode runs.
    """
    project, rules = collector.project, collector.rules
    services = project.closure(collector.services)
    found = classes_of_target(services, collector.models, rules)
    if mode.class_ in found:
        return
    gone = "; ".join(absent_services(rules, project, services))
    if not mode.class_:
        classes = classes_of_mode(mode, rules, project)
        run = " and ".join(classes) or "nothing with a class"
        hint = f"in rules.yaml: {gone}" if gone and not classes else f"give it one: {_with_a_class(name, mode, classes)}"
        raise ConfigurationError(f"the mode {name} has no class in rules.yaml, and what it runs is {run}", hint)
    if gone or (rule := rule_about(mode.class_, rules)):
        raise ConfigurationError(
            f"the mode {name} is of class {mode.class_}, and nothing that it runs is: {', '.join(services) or 'no service'}",
            f"in rules.yaml: {gone}" if gone else f"rule {rule} would not hold for it; {class_fix(mode.class_, found)}",
        )


def _with_a_class(name: str, mode: Mode, classes: Iterable[str]) -> str:
    """Return how a mode is written that says its class."""
    key, members = ("profiles", mode.profiles) if mode.profiles else ("services", mode.services)
    return f"{name}: {{class: {' or '.join(classes) or 'CLASS'}, {key}: [{', '.join(members)}]}}"


def class_fix(class_: str, found: Iterable[str]) -> str:
    """Return what to do about a mode of a class that nothing is of which it runs; what it runs is of those that were `found`."""
    other = f", or give the mode the class of what it runs: {', '.join(sorted(found))}" if found else ""
    return f"describe what is of class {class_} there under workloads in rules.yaml{other}"


def _in_variant(collector: Collector, rules: Rules, mode: str, variant: str) -> None:
    """Have those services of a mode that know a variant run in it. Raises UsageFault where none does."""
    workloads = [rules.of_service(service) for service in collector.services]
    sized = [workload for workload in workloads if workload and workload.variants]
    if not any(variant in workload.variants for workload in sized):
        known = [name for workload in sized for name in workload.variants]
        raise UsageFault(
            f'unknown variant "{variant}" of {mode}{suggest(variant, known)}',
            f"the variants are {', '.join(known)}" if known else f"rules.yaml gives {mode} no variants",
        )
    for workload in sized:
        if variant in workload.variants:
            collector.workload(workload.in_variant(variant))
