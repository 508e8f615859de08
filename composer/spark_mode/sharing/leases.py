"""What plain `docker compose` was allowed to start and has not started yet: leases.

The gate gives a lease while Compose *creates*; the start may come minutes later, when a dependency has loaded. So a lease
lives as long as the Compose process that asked, and until a container of its service has started that had not when it
was given: the engine's ids and start times are compared for being the same, never with a clock, which may jump.

A process whose service runs already has nothing to start, and holds nothing up while it shows what is written. But stopped
before Compose gets to its own start, the service would be started again: so a switch waits a while for such a process. The
same is true of all that were to start a service once one of them has.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spark_mode.atomic_file import replace_file
from spark_mode.engine.doors import Clock
from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.frozen import Frozen
from spark_mode.lab.project import Project
from spark_mode.plain_file import fault, read_plain
from spark_mode.planning.container import LEASED, Container
from spark_mode.planning.observed import Hold
from spark_mode.sharing.process import is_running
from spark_mode.sharing.shared_file import MODE, locked, open_lock, takes
from spark_mode.wall_time import now

LOCK_SECONDS = 10.0
"""How long one who asks waits for the judgement on another; a judgement takes a tenth of a second."""
NEVER = "0001-01-01T"
"""How the engine's start time begins for what was never started."""
SETTLE_SECONDS = 1.0
"""How long the engine may still act for a process that has died after it asked for a start."""
PASSING_SECONDS = 10.0
"""How long a process is waited for whose service ran when it asked; Compose has looked at what to start by then."""
POLL_SECONDS = 0.1
ROUNDED_SECONDS = 0.001
"""By how much a sum of seconds and a difference may be apart; more than that is another boot."""
_REMOVE = "remove it, when no docker compose runs"


class Lease(Frozen):
    """A service that a process may start; `began` is when that process began, in the kernel's ticks since boot.

    `at` is when it was given, ISO 8601, for people. `starts` are those that the service had then: which container, and
    when it was started last. `project` is the one that the process starts it for. `passes_until`, in monotonic seconds, is set
    where the service ran already.
    """

    service: str
    project: str
    pid: int
    began: int
    by: str
    at: str
    starts: tuple[tuple[str, str], ...] = ()
    passes_until: float | None = None

    @classmethod
    def give(cls, service: str, project: str, pid: int, began: int, by: str, containers: Sequence[Container]) -> "Lease":
        """Return a lease, given now beside these containers."""
        starts = tuple(sorted(_starts(service, containers)))
        return cls(service=service, project=project, pid=pid, began=began, by=by, at=now(), starts=starts)

    def is_passing(self, at: float) -> bool:
        """Whether its process may still start again what ran when it asked, `at` monotonic seconds of this boot."""
        return self.passes_until is not None and 0 < self.passes_until - at < PASSING_SECONDS + ROUNDED_SECONDS

    @property
    def is_alive(self) -> bool:
        """Whether the process that asked still runs."""
        return is_running(self.pid, self.began)

    def is_used(self, containers: Sequence[Container]) -> bool:
        """Whether its container was started since: one is there, or was started, that was not when it was given."""
        return not _starts(self.service, containers) <= set(self.starts)

    def of_lab(self, project: Project) -> "Lease":
        """Return it with the name that the lab of these projects has for the service."""
        return self.model_copy(update={"service": project.lab_name(self.project, self.service)}) if project.parts else self

    def as_hold(self) -> Hold:
        """Return it as what may not be stopped: it does not run yet."""
        return Hold(request="docker compose up", by=self.by, since=self.at, services=(self.service,), process=self.pid)

    def as_container(self) -> Container:
        """Return the container that is to be, which counts as active."""
        return Container(id=f"lease of {self.pid} for {self.service}", name=self.service, service=self.service, state=LEASED)


_Leases = TypeAdapter(tuple[Lease, ...])


class Leases:
    """The leases of all labs of a machine, or of a lab of its own, in a file.

    In the file `former` are those of a lab's projects that were given before its rules changed their scope; others write it.
    """

    def __init__(self, path: Path, former: Path | None = None, projects: Collection[str] = ()) -> None:
        self._path, self._former, self._projects = path, former, projects

    def live(self) -> tuple[Lease, ...]:
        """Return those whose process still runs, and has something to start."""
        return tuple(one for one in (*self._alive(), *self._alive_before()) if one.passes_until is None)

    def passing(self, at: float) -> tuple[Lease, ...]:
        """Return those whose process may still start again what ran when it asked, `at` monotonic seconds."""
        return tuple(one for one in (*self._alive(), *self._alive_before()) if one.is_passing(at))

    def add(self, lease: Lease) -> None:
        """Add one, and drop those that ended. Only while `judging`. Raises ConfigurationError."""
        self._write((*self._alive(), lease))

    def settle(self, clock: Clock, containers: Callable[[str], Sequence[Container]]) -> None:
        """Drop the leases that are over: what they were for was started, or their process has died.

        What one that died may just have asked the engine for is waited for. Where several were for the same start nobody can
        tell whose it was: the others may start again what has ended by then, as one may whose service ran when it asked.
        `containers` gives those of a project.
        """
        found = self._read()
        first = Counter((one.project, one.service) for one in found if one.passes_until is None)
        seen = [one for one in found if one.is_used(containers(one.project))]
        unclear = [one for one in seen if one.passes_until is None and first[one.project, one.service] > 1]
        used = [one for one in seen if one not in unclear]
        over = [one for one in found if not one.is_alive or (one in used and one.passes_until is None)]
        acting = [one for one in over if one not in used and (one.passes_until is None or one.is_passing(clock.now()))]
        if acting:
            clock.sleep(SETTLE_SECONDS)
        if over or unclear:
            until = {"passes_until": clock.now() + PASSING_SECONDS}
            left = (one for one in found if one not in over)
            self._write(tuple(one.model_copy(update=until) if one in unclear else one for one in left))

    @contextmanager
    def judging(self, clock: Clock) -> Iterator[None]:
        """Have nobody else judge a start meanwhile. Raises EngineUnavailable when that takes too long."""
        deadline = clock.now() + LOCK_SECONDS

        def wait(lock: int) -> None:
            while not takes(lock):
                if clock.now() >= deadline:
                    message = f"another start is being judged, for more than {LOCK_SECONDS:g} s"
                    raise EngineUnavailable(message, "see who: docker ps; ps aux | grep spark-mode-gate")
                clock.sleep(0.01)

        with locked(self._path.with_suffix(".lock"), open_lock, wait):
            yield

    def _alive(self) -> tuple[Lease, ...]:
        return tuple(one for one in self._read() if one.is_alive)

    def _alive_before(self) -> Iterator[Lease]:
        if self._former:
            yield from (one for one in _leases_in(self._former) if one.project in self._projects and one.is_alive)

    def _read(self) -> tuple[Lease, ...]:
        return _leases_in(self._path)

    def _write(self, leases: tuple[Lease, ...]) -> None:
        try:
            replace_file(self._path, json.dumps([one.model_dump() for one in leases]).encode(), MODE)
        except OSError as error:
            raise ConfigurationError(*fault(self._path, error, "make room, or make it writable")) from None


def _leases_in(path: Path) -> tuple[Lease, ...]:
    try:
        return _Leases.validate_json(read_plain(path, follow=False))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigurationError(*fault(path, error, _REMOVE)) from None
    except ValidationError:
        raise ConfigurationError(f"{path}: is not what was written", _REMOVE) from None


def _starts(service: str, containers: Sequence[Container]) -> set[tuple[str, str]]:
    mine = [one for one in containers if one.service == service and not one.one_off and one.state != LEASED]
    return {(one.id, one.started_at) for one in mine if one.started_at and not one.started_at.startswith(NEVER)}
