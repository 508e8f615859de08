"""Which profiles Compose has to be told of, so that it reads what a command needs and nothing that only others need.

Compose reads what belongs to a profile (files of variables and labels, names of containers) only where the profile is told,
and then fails for all of it. What a told service depends on must be told as well.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.service import Service


class ComposeCall(NamedTuple):
    """Services for one command of Compose, and the profiles that it is told of."""

    profiles: tuple[str, ...]
    services: tuple[str, ...]


def with_company(profiles: Iterable[str], services: Mapping[str, Service]) -> tuple[str, ...]:
    """Return these profiles, and one more for each service that theirs depend on and that none of them has."""
    told = dict.fromkeys(profiles)
    while (more := _missing(told, services)) is not None:
        told[more] = None
    return tuple(told)


def compose_calls(names: Iterable[str], project: Project) -> tuple[ComposeCall, ...]:
    """Return the commands that name these services, in their order: one, where Compose resolves all profiles together."""
    profiles = {name: _told_for(name, project) for name in names}
    if not project.apart:
        together = dict.fromkeys(one for told in profiles.values() for one in told)
        return (ComposeCall(tuple(together), tuple(profiles)),)
    return tuple(ComposeCall(told, tuple(group)) for told, group in groupby(profiles, key=profiles.__getitem__))


def _told_for(name: str, project: Project) -> tuple[str, ...]:
    """Return the profiles that a service needs: one of its own that can be used, and the company of that."""
    own = project.services[name].profiles if name in project.services else ()
    usable = [profile for profile in own if profile not in project.unusable] or own
    return with_company(usable[:1], project.services)


def _missing(told: Iterable[str], services: Mapping[str, Service]) -> str | None:
    """Return a profile of a service that is depended on and that Compose would not see yet."""
    seen = {name for name, one in services.items() if not one.profiles or not set(one.profiles).isdisjoint(told)}
    needed = (need for name in seen for need in services[name].needs if need in services and need not in seen)
    return next((services[need].profiles[0] for need in sorted(needed)), None)
