"""Which of the proposed modes may run together: the matrix of a project before anything of it was started."""

from collections.abc import Iterator
from itertools import combinations

from spark_mode.init.modes import ProposedMode
from spark_mode.init.propose import Proposal, ProposedRule
from spark_mode.init.survey import Survey

FITS, TOO_LARGE = "yes", "no: they do not fit into the memory together"


def together(seen: Survey, proposal: Proposal) -> dict[str, list[str]]:
    """Return the pairs of modes, each with its choices, by what is to be said of them."""
    said: dict[str, list[str]] = {}
    choices = [(one, profile) for one in proposal.modes.modes for profile in one.profiles or (None,)]
    for one, other in combinations(choices, 2):
        if one[0] is other[0]:
            continue  # of the choices of a mode there is one at a time
        verdict = _verdict(seen, proposal, _services(seen, *one), _services(seen, *other))
        said.setdefault(verdict, []).append(f"{_text(*one)} + {_text(*other)}")
    return said


def _verdict(seen: Survey, proposal: Proposal, one: set[str], other: set[str]) -> str:
    broken = next((rule for rule in proposal.rules if _breaks(seen, rule, one, other)), None)
    if broken:
        return f"no: {broken.because}"
    return FITS if seen.fits([*sorted(one), *sorted(other - one)]) else TOO_LARGE


def _breaks(seen: Survey, rule: ProposedRule, one: set[str], other: set[str]) -> bool:
    mine, theirs = set(_labels(seen, one)), set(_labels(seen, other))
    if rule.kind == "at_most":
        return len((mine | theirs) & {*rule.members}) > 1
    return any(x != y and x in mine and y in theirs for x in rule.members for y in rule.members)


def _labels(seen: Survey, services: set[str]) -> Iterator[str]:
    """Yield the names under which rules speak of services: their own, those of their models, and their classes."""
    for service in services:
        if seen.placed[service].gpu:
            yield from (service, seen.placed[service].class_, *(one.name for one in seen.models.get(service, ())))


def _services(seen: Survey, mode: ProposedMode, profile: str | None) -> set[str]:
    return set(seen.project.closure(mode.services if profile is None else seen.project.of_profile(profile)))


def _text(mode: ProposedMode, profile: str | None) -> str:
    return mode.name if profile is None or mode.profiles == (mode.name,) else f"{mode.name} {profile}"
