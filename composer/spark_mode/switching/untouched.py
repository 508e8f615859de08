"""What may be said of a request that did nothing: the rules may have had something stopped at once all the same."""

from collections.abc import Sequence

from spark_mode.lab.few import agreeing
from spark_mode.planning.conflict_policy import Victim


def untouched(enforced: Sequence[Victim], how: str) -> str:
    """Return that nothing "was touched", say; where that would be untrue, that nothing else was, and what was stopped at once."""
    return f"nothing else {how}: {stopped_at_once(enforced)}" if enforced else f"nothing {how}"


def sentence(enforced: Sequence[Victim]) -> str:
    """Return that nothing was stopped or started, or what was, as a sentence."""
    return f"N{untouched(enforced, 'was stopped or started')[1:]}."


def stopped_at_once(enforced: Sequence[Victim]) -> str:
    """Return what was stopped at once, and why, each reason once."""
    return "; ".join(
        f"{', '.join(names)} {agreeing(names, 'was', 'were')} {how} at once, because {cause}"
        for (how, cause), names in by_cause(enforced).items()
    )


def by_cause(victims: Sequence[Victim]) -> dict[tuple[str, str], list[str]]:
    """Return what goes together: the names, by what is done with them and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, one in {one.service: one for one in victims}.items():
        found.setdefault(("unloaded" if one.models else "stopped", one.cause), []).append(name)
    return found


def with_enforced(note: str | None, enforced: Sequence[Victim]) -> str | None:
    """Return what there is to say, with what was stopped at once; None where there is nothing."""
    return "; ".join(filter(None, (note, stopped_at_once(enforced)))) or None
