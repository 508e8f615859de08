"""Which modes a project has: its profiles with a GPU service, and a mode for each service of those that do not fit together."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from spark_mode.init.place import for_other_hardware
from spark_mode.init.survey import Survey
from spark_mode.init.tables import TRAINING
from spark_mode.lab.verbs import NO_MODES, VERBS


class ProposedMode(NamedTuple):
    """A mode as rules.yaml has it: its class, the profiles or the services that it is, and the models that these need."""

    name: str
    class_: str
    profiles: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class ProposedModes(NamedTuple):
    """The modes, the profiles that are none with the reason, and what was called otherwise than it is, and why."""

    modes: tuple[ProposedMode, ...]
    left_out: dict[str, str]
    said: tuple[str, ...]


def propose_modes(seen: Survey) -> ProposedModes:
    """Return the modes of a project."""
    project = seen.project
    left_out = {profile: why for profile in project.profiles if (why := _no_mode(seen, profile))}
    profiles = [profile for profile in project.profiles if profile not in left_out]
    whole = [one for one in profiles if len(_gpu(seen, one)) < 2 or seen.fits(project.of_profile(one))]
    parts = [service for one in profiles if one not in whole for service in _gpu(seen, one) if service in seen.sizes]
    modes = [ProposedMode(one, _class_of(seen, _own(seen, one)), (one,)) for one in whole]
    apart = [_of_services(seen, one, seen.placed[one].class_, one) for one in dict.fromkeys(parts)]
    named, said = _named([*_grouped(seen, modes), *apart, *_without_profile(seen, whole)])
    return ProposedModes(named, left_out, said)


def _no_mode(seen: Survey, profile: str) -> str | None:
    if word := for_other_hardware(profile):
        return f"it is for another machine ({word})"
    return None if _gpu(seen, profile) else "no service of it has a GPU"


def _gpu(seen: Survey, profile: str) -> tuple[str, ...]:
    return tuple(one for one in seen.project.of_profile(profile) if one in seen.sizes or one in seen.models)


def _own(seen: Survey, profile: str) -> tuple[str, ...]:
    """Return the GPU services of a profile that are in the fewest others: what it is about, and not what it shares."""
    shared = {one: len(seen.project.services[one].profiles) for one in _gpu(seen, profile)}
    return tuple(one for one, count in shared.items() if count == min(shared.values()))


def _class_of(seen: Survey, services: Iterable[str]) -> str:
    return Counter(seen.placed[one].class_ for one in services).most_common(1)[0][0]


def _without_profile(seen: Survey, profiles: list[str]) -> Iterator[ProposedMode]:
    """Yield modes for services without a profile: one for all of them where there is no other, else for what fits beside none.

    All others belong to every mode, as in Compose. A mode that runs to its end excludes them: it needs no room for them.
    """
    project = seen.project
    base = [one for one in project.without_profile if one in seen.sizes or one in seen.models]
    beside = [one for one in profiles if _class_of(seen, _own(seen, one)) != TRAINING]
    together = seen.fits(base)
    if base and together and not beside:
        class_ = _class_of(seen, base)
        yield _of_services(seen, base[0] if len(base) == 1 else class_, class_, *base)
        return
    for one in base:
        if not together or not all(seen.fits((*project.of_profile(profile), one)) for profile in beside):
            yield _of_services(seen, one, seen.placed[one].class_, one)


def _of_services(seen: Survey, name: str, class_: str, *services: str) -> ProposedMode:
    return ProposedMode(name, class_, services=services, models=seen.needed_models(services))


def _grouped(seen: Survey, modes: list[ProposedMode]) -> Iterator[ProposedMode]:
    """Yield the modes, with those of one class as the choices of one mode where some of them share a service with a GPU.

    They are ways to run the same thing, such as one of several voices beside the same ears.
    """
    together = {
        one.class_
        for one, other in combinations(modes, 2)
        if one.class_ == other.class_ and {*_gpu(seen, one.name)} & {*_gpu(seen, other.name)}
    }
    for class_ in dict.fromkeys(one.class_ for one in modes):
        same = [one for one in modes if one.class_ == class_]
        if class_ in together:
            yield ProposedMode(class_, class_, tuple(one.name for one in same))
        else:
            yield from same


def _named(modes: list[ProposedMode]) -> tuple[tuple[ProposedMode, ...], tuple[str, ...]]:
    """Return the modes under names that are free: no command, no other mode, and none that `status` says by itself."""
    named: dict[str, ProposedMode] = {}
    said = []
    for one in modes:
        name, number = one.name, 1
        while name in VERBS or name in NO_MODES or name in named:
            name, number = f"{one.name}-mode" if number == 1 else f"{one.name}-mode-{number}", number + 1
        if name != one.name:
            taken = "another mode has the name" if one.name in named else f"{one.name} means something to spark-mode already"
            said.append(f"the mode of {one.name} is called {name}: {taken}")
        named[name] = one._replace(name=name)
    return tuple(named.values()), tuple(said)
