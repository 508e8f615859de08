"""The last look before a start: the rule that two sides are never active together is held here, against what is seen.

Whatever brings something up, or creates it, comes right after one of these looks: a create, a start, an unpause, a load. So
a switch that was held up, for a second or for a day, does nothing that rests on what it had seen before.
"""

from spark_mode.errors import StepFailed
from spark_mode.lab.rules import Rules
from spark_mode.planning.conflicts import Member, exclusive, foreign_member, member
from spark_mode.planning.observed import Observed
from spark_mode.session.observe import Observer


def require_stopped(services: tuple[str, ...], observer: Observer) -> None:
    """Raise StepFailed when one of these is active: to create it, Compose would stop and replace what runs."""
    running = observer.observe_running().active_services
    active = [name for name in services if name in running]
    if active:
        raise StepFailed(f"{', '.join(active)} was started by somebody meanwhile; ask again")


def require_clear(service: str, observer: Observer, rules: Rules) -> Observed:
    """Return what was seen. Raises StepFailed when something is active that a rule excludes beside this service."""
    seen = observer.observe_running()
    require_clear_in(seen, service, rules)
    return seen


def require_clear_in(seen: Observed, service: str, rules: Rules) -> None:
    """The same for what was seen a moment ago."""
    require_apart_in(seen, member(rules, service), rules)


def require_apart_in(seen: Observed, one: Member, rules: Rules) -> None:
    """The same for what is no service."""
    own = (member(rules, other) for other in seen.active_services)
    for other in (*own, *(foreign_member(rules, foreign.name) for foreign in seen.foreign)):
        if other.name != one.name and (found := exclusive(rules, one, other)):
            raise StepFailed(f"{one.name} is not started: {other.name} became active meanwhile, and {found.rule.because}")
    for host, loaded in seen.loaded.items():
        if loaded is None and exclusive(rules, one, member(rules, host)):
            raise StepFailed(f"{one.name} is not started: {host} no longer says which models it has loaded")
        for model in loaded or ():
            if found := exclusive(rules, one, member(rules, model.workload or host)):
                raise StepFailed(f"{one.name} is not started: {model.model} is loaded in {host} again, and {found.rule.because}")
