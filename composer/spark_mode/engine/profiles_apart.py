"""Reading a project profile by profile, where Compose does not resolve all of them together.

Compose reads files of variables only for the profiles that it is told of, and one that is missing fails the whole answer; so do
two services with one container_name. Which profiles there are, and what depends on what, its outline tells without resolving it.
A variable that the files require fails every answer, whatever it is told of. So a value stands in for one that nobody has set,
and what Compose makes of the files with it shows which profiles need it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from spark_mode.engine.endless import endless_files
from spark_mode.engine.hashes import hashes_of
from spark_mode.engine.questions import Answer, ask, collect, understood
from spark_mode.errors import ConfigurationError
from spark_mode.lab.profiles import with_company
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.service import Service

AT_ONCE = 8
"""Questions that are asked together: each takes 50 MB of memory while it is answered."""
FIRST_STAND_IN = 61843
"""A number that is a valid port, size and name, and stands in no file by chance."""
MOST_WANTING = 50
_REQUIRED = re.compile(r"required variable (\w+) is missing a value")
_MAPPINGS = ("environment", "labels")
_PARTS = ("services", "networks", "volumes", "secrets", "configs")


class Apart(NamedTuple):
    """What Compose says of a project, told of each profile in turn.

    `resolved` is what it can resolve, `unusable` why it cannot resolve the rest, by profile; `outline` has the services of all as
    they stand in the files, `literal` what needs no resolving of them, `stand_ins` the values of variables that nobody has set.
    """

    resolved: dict[str, Any]
    unusable: dict[str, str]
    outline: dict[str, Any]
    literal: dict[str, Any]
    stand_ins: dict[str, str]


def read_apart(flags: Sequence[str], socket: str, compose: str, outline: Answer, fault: ConfigurationError) -> Project:
    """Return the project with the profiles that Compose can resolve, and why it cannot resolve the others.

    What its outline says of the services of those is kept as far as nothing in it is left to resolve. Raises as `resolve_apart`.
    """
    apart = resolve_apart(flags, socket, outline, fault)
    hashes = hashes_of(apart.resolved, apart.outline, flags, socket)
    whole = apart.resolved | {"services": apart.literal | apart.resolved["services"]}
    project = understood(outline.output, lambda: read_project(whole, hashes, compose))
    return project.model_copy(update={"unusable": apart.unusable, "apart": True, "stand_ins": apart.stand_ins})


def resolve_apart(flags: Sequence[str], socket: str, outline: Answer, fault: ConfigurationError) -> Apart:
    """Return what Compose says of a project, told of each profile in turn.

    Raises `fault`, which is what it said of all together, where it has no outline or no name either; EngineUnavailable when it
    does not answer in time.
    """
    if outline.complaint():
        raise fault
    drawn = _read(outline)
    known = understood(outline.output, lambda: {name: _legible(one or {}) for name, one in drawn["services"].items()})
    services = understood(outline.output, lambda: read_project({"name": "", "services": known}, {})).services
    profiles = dict.fromkeys(profile for service in services.values() for profile in service.profiles)
    told = {profile: with_company(filter(None, [profile]), services) for profile in ("", *profiles)}
    unusable = _held_up(told, services, endless_files(drawn["services"]))
    told = {profile: company for profile, company in told.items() if profile not in unusable}
    wanting = _wanting(flags, socket, told[""]) if "" in told else _Wanting({}, {}, {})
    left = {profile: company for profile, company in told.items() if profile not in wanting.answers}
    resolved: dict[str, Any] = {"name": drawn["name"], **{part: {} for part in _PARTS}}
    for profile, answer in chain(wanting.answers.items(), _answers(flags, socket, left, wanting.values)):
        if said := wanting.needed_by(answer) or answer.complaint():
            unusable[profile] = said
        else:
            found = _read(answer)
            resolved = {"name": found["name"], **{part: resolved[part] | found[part] for part in _PARTS}}
    if "$" in resolved["name"]:
        raise fault  # whose containers are this lab's is not known
    return Apart(resolved, unusable, drawn["services"], known, wanting.values)


def _held_up(told: Mapping[str, Sequence[str]], services: Mapping[str, Service], faults: Mapping[str, str]) -> dict[str, str]:
    """Return the profiles with which Compose would read a file that has no end, and what is wrong with that."""
    return {
        profile: faults[name]
        for name in faults
        for profile, company in told.items()
        if not services[name].profiles or not set(services[name].profiles).isdisjoint(company)
    }


class _Wanting(NamedTuple):
    """Variables that the files require and nobody has set: what Compose says of each, and a value that stands in for it.

    `answers` is how it resolves what has no profile, with all these values, where it was asked that.
    """

    said: dict[str, str]
    values: dict[str, str]
    answers: dict[str, Answer]

    def needed_by(self, answer: Answer) -> str | None:
        """Return what Compose said of the first variable whose stand-in an answer speaks of: what needs it cannot be used."""
        text = answer.output + answer.errors
        return next((self.said[name] for name, value in self.values.items() if re.search(rf"\b{value}\b", text)), None)


def _wanting(flags: Sequence[str], socket: str, profiles: Sequence[str]) -> _Wanting:
    """Return the variables without which Compose resolves nothing, not even what does not need them."""
    found = _Wanting({}, {}, {})
    while len(found.said) < MOST_WANTING:
        asked = dict(_answers(flags, socket, {"": profiles}, found.values))
        said = asked[""].complaint() or ""
        name = _REQUIRED.search(said)
        if name is None or name[1] in found.said:
            return found._replace(answers=asked)
        found.said[name[1]] = said
        found.values[name[1]] = str(FIRST_STAND_IN + len(found.values))
    return found


def _answers(
    flags: Sequence[str], socket: str, told: Mapping[str, Sequence[str]], variables: Mapping[str, str]
) -> Iterator[tuple[str, Answer]]:
    """Yield how Compose resolves the files, told of each of these in turn."""
    left = list(told)
    while left:
        batch, left = left[:AT_ONCE], left[AT_ONCE:]
        asked = {}
        for number, profile in enumerate(batch):
            named = [part for one in told[profile] for part in ("--profile", one)]
            asked[str(number)] = ask([*flags, *named, "config", "--format", "json"], socket, variables=variables)
        answers = collect(asked)
        yield from ((profile, answers[str(number)]) for number, profile in enumerate(batch))


def _read(answer: Answer) -> dict[str, Any]:
    """Return the name and the parts of a project."""

    def read() -> dict[str, Any]:
        said = json.loads(answer.output)
        return {"name": str(said["name"]), **{part: dict(said.get(part) or {}) for part in _PARTS}}

    return understood(answer.output, read)


def _legible(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is outlined of a service as Compose would resolve it, without what that takes more for than its form.

    Nothing in an outline was looked at by Compose: ports are in one string, and a number may be any word.
    """
    plain = {key: _mapped(value) if key in _MAPPINGS else value for key, value in service.items() if "$" not in json.dumps(value)}
    if not re.match(r"\d", str(plain.get("stop_grace_period", 0))):
        del plain["stop_grace_period"]  # no time to stop in is no grace
    return plain if _is_read(plain) else {key: value for key, value in plain.items() if _is_read({key: value})}


def _mapped(value: Any) -> Any:
    """Return what may be given as a list of `name=value` as the mapping that it stands for."""
    return dict(one.partition("=")[::2] for one in value) if isinstance(value, list) else value


def _is_read(service: dict[str, Any]) -> bool:
    try:
        read_project({"name": "", "services": {"": service}}, {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True
