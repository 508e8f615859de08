"""Models that clients had a daemon outside Docker load beside what excludes them: unloaded again, each time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from spark_mode.enforcement.beside import Beside
from spark_mode.engine.doors import HostFailed
from spark_mode.planning.conflict_policy import Victim
from spark_mode.planning.observed import LoadedModel
from spark_mode.session.session import Session
from spark_mode.session.unloading import unload

WINDOW_SECONDS = 600.0
"""Within how long unloads of one name are counted; of more than a few one record is written in that time."""


class Unloaded(NamedTuple):
    """How an unload ended, as it is to be written down; `left` says that something is still loaded."""

    name: str
    note: str
    left: bool
    seconds: float


@dataclass
class _Going:
    """An unload that goes on: `since` is monotonic, `answered` counts what each host said, None where the model is gone."""

    victim: Victim
    since: float
    answered: list[str | None] = field(default_factory=list)


class Unloads:
    """Has daemons unload models, `beside` the guard's loop. There is no end of patience: it costs the daemon nothing."""

    def __init__(self, session: Session, say: Callable[[str], None], beside: Beside) -> None:
        self._session, self._say, self._beside = session, say, beside
        self._going: dict[str, _Going] = {}
        self._begun: dict[str, list[float]] = {}
        self._write_at: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._going

    def begin(self, victim: Victim) -> None:
        """Have the models of a victim unloaded; `ended` tells what came of it."""
        now = self._session.clock.now()
        recent = [at for at in self._begun.get(victim.service, ()) if now - at < WINDOW_SECONDS]
        self._begun[victim.service] = [*recent, now]
        self._say(f"unloading {victim.service}: {victim.cause}")
        going = self._going[victim.service] = _Going(victim, now)
        for model in victim.models:
            self._beside(victim.service, partial(self._unload, going, model))

    def _unload(self, going: _Going, model: LoadedModel) -> None:
        said: str | None = "it was not asked"
        try:
            unload(self._session.hosts, self._session.rules, model)
            said = None
        except HostFailed as error:
            said = str(error)
        finally:
            going.answered.append(said)

    def ended(self) -> tuple[Unloaded, ...]:
        """Return those that have ended and are worth a record: the history has room for little more than a hundred."""
        over = [one for one in self._going.values() if len(one.answered) == len(one.victim.models)]
        for one in over:
            del self._going[one.victim.service]
        return tuple(self._told(one) for one in over if self._is_told(one.victim.service))

    def _is_told(self, name: str) -> bool:
        """Whether it is one of the first, or the first in a while."""
        now, few = self._session.clock.now(), self._session.rules.guard.patience
        if len(self._begun[name]) > few and now < self._write_at.get(name, 0.0):
            return False
        self._write_at[name] = now + WINDOW_SECONDS
        return True

    def _told(self, one: _Going) -> Unloaded:
        name, count = one.victim.service, len(self._begun[one.victim.service])
        again = [f"{count} times within {WINDOW_SECONDS:g} s"] if count > 1 else []
        left = [said for said in one.answered if said]
        note = "; ".join([one.victim.cause, *again, *left])
        return Unloaded(name, note, bool(left), self._session.clock.now() - one.since)
