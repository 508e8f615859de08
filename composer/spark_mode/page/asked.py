"""What a form or a link asks for: the words of a command, which is what will act, and the request that its plan is made from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from spark_mode.errors import UsageFault
from spark_mode.lab.rules import Rules
from spark_mode.planning.mode import mode_text
from spark_mode.planning.request import ModeRequest, Request, StopRequest, UpRequest, to_mode
from spark_mode.session.session import Session

VERBS = ("to", "up", "stop", "restore", "recover")
MOST_NAMES, LONGEST_NAME = 100, 300


class AskedSwitch(NamedTuple):
    """A switch as it is asked for. `names` are the words after the verb, as they are typed: a mode, perhaps with its profile.

    `then` has what ran before come back when a long run has ended.
    """

    verb: str
    names: tuple[str, ...] = ()
    then: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, Sequence[str]]) -> "AskedSwitch":
        """Read the fields of a form or a link. Raises UsageFault for what no command would be given."""
        verb, names = next(iter(fields.get("verb", ())), "to"), tuple(fields.get("name", ()))
        if verb not in VERBS or (verb in ("restore", "recover") and names) or (verb in ("to", "up") and not names):
            raise UsageFault("this asks for nothing that can be done", "begin at the first page")
        if len(names) > MOST_NAMES or not all(map(_is_name, names)) or (verb == "to" and len(names) > 2):
            raise UsageFault("this asks for names that no lab has", "begin at the first page")
        return cls(verb, names, bool(fields.get("then")))

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the command."""
        return (self.verb, *self.names, *(("--then", "restore") if self.then else ()))

    @property
    def query(self) -> str:
        """The same as the query of a link."""
        return urlencode([("verb", self.verb), *(("name", one) for one in self.names), *([("then", "1")] if self.then else [])])

    def request(self, session: Session) -> Request:
        """Return the request of a switch. Raises UsageFault for a mode that is none, or nothing to restore, NeedsAttention."""
        match self.verb:
            case "to":
                return to_mode(session.rules, *self.names)
            case "up":
                return UpRequest(names=self.names)
            case "stop":
                return StopRequest(names=self.names)
            case _:
                return session.restore_request()


def names_of_sets(rules: Rules) -> tuple[str, ...]:
    """Return what a set may be made of: each workload, and behind it each of its other variants."""
    return tuple(
        name
        for one in rules.workloads.values()
        for name in (one.name, *(f"{one.name}:{variant}" for variant in one.variants if variant != one.variant))
    )


def asked_for_mode(request: ModeRequest, session: Session) -> AskedSwitch:
    """Return how a mode is asked for: in the words that `status` has for it, where these are its own."""
    profile = None if mode_text(session.rules, request.mode, request.profile) == request.mode else request.profile
    return AskedSwitch("to", (request.mode,) if profile is None else (request.mode, profile))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and not text.startswith("-")
