"""An independent witness: it reads the engine's own events, and knows when each side was active.

It shares no code with spark-mode: what it says about overlap would be true if spark-mode were wrong.
"""

import json
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple

SIDES = {"training": "training"}
BEGINS = frozenset({"start", "unpause"})
ENDS = frozenset({"die", "destroy"})
AROUND = 60 * 10**9
"""How long before and after an overlap what was seen is told, in nanoseconds."""


class Moment(NamedTuple):
    """A container of a side begins or ends to be active, at a time in nanoseconds; `told` is what says so."""

    at: int
    container: str
    side: str
    begins: bool
    told: str = ""

    def __str__(self) -> str:
        at = f"{datetime.fromtimestamp(self.at // 10**9, UTC):%H:%M:%S}.{self.at % 10**9 // 10**6:03}"
        return f"{at} {self.side} {self.container[:12]} {'begins' if self.begins else 'ends'}: {self.told}"


class Witness:
    """Streams the events of a project, and of `more`, while it is used as a context, over restarts of the engine at `host` too.

    What it missed while the engine was away it takes from the times that the engine then says of each container: of one that
    ended meanwhile there is no event. So after each break it looks before it follows again, with all events since the break.
    """

    def __init__(self, project: str, host: str | None = None, more: Collection[str] = ()) -> None:
        self._project, self._projects = project, frozenset({project, *more})
        self._docker = ["docker", *(("--host", host) if host else ())]
        self._moments: list[Moment] = []
        self._breaks: list[str] = []
        self._events: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._marked = threading.Event()
        self._ended = False

    def __enter__(self) -> "Witness":
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()
        self._mark()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._mark()
        finally:
            self._ended = True
            assert self._events is not None
            assert self._reader is not None
            self._events.terminate()
            self._reader.join(10)

    def also(self, name: str, side: str, begun: int, ended: int) -> None:
        """Count something of a side that is no container, from when to when it was active, in nanoseconds since the epoch.

        What was seen at one moment alone was active for a nanosecond: it began before it ended.
        """
        first = Moment(begun, name, side, begins=True, told="seen, and no container")
        self._moments += [first, first._replace(at=max(ended, begun + 1), begins=False)]

    def require(self, audio_starts: int, training_starts: int) -> None:
        """Fail unless at least so many starts of each side were seen and the sides never overlapped."""
        assert starts(self._moments, "audio") >= audio_starts, "the witness missed starts of audio"
        assert starts(self._moments, "training") >= training_starts, "the witness missed starts of training"
        assert overlap_ms(self._moments) == 0, (
            f"both sides were active together for {overlap_ms(self._moments)} ms\n{self.account()}"
        )

    @property
    def overlaps(self) -> list[tuple[float, float]]:
        """From when to when both sides were active together, in nanoseconds since the epoch."""
        return overlaps(self._moments)

    def account(self) -> str:
        """Return what was seen, and what said so, from a while before the first overlap to a while after, and what is there."""
        begin, end = next(iter(self.overlaps), (0.0, 0.0))
        seen = [one for one in sorted(self._moments) if begin - AROUND <= one.at <= end + AROUND]
        now = [f"{one['Id'][:12]} {one['Name']}: {json.dumps(one['State'])}" for one in self._containers() or ()]
        return "\n".join([*self._breaks, *map(str, seen), "what the engine says now:", *now])

    @property
    def starts(self) -> int:
        """How often a container of either side became active."""
        return sum(starts(self._moments, side) for side in ("audio", "training"))

    def _mark(self) -> None:
        """Make an event of its own and wait until it comes through: then nothing before it is missing."""
        name = f"{self._project}-witness"
        self._marked.clear()
        for _ in range(50):
            for command in (["volume", "create", name], ["volume", "rm", name]):
                subprocess.run([*self._docker, *command], check=True, capture_output=True, timeout=30)
            if self._marked.wait(0.2):
                return
        raise AssertionError("the engine's events do not come through")

    def _follow(self) -> None:
        """Read events until the end; when the stream breaks, ask what happened meanwhile and follow again."""
        filters = ["--filter", "type=container", "--filter", "type=volume"]
        since = "0s"
        while not self._ended:
            command = [*self._docker, "events", "--since", since, "--format", "{{json .}}", *filters]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as self._events:
                self._read(self._events)
            since = f"{time.time():.3f}"  # what happens between the look and the next stream is in that one
            while not self._ended and not self._catch_up():
                time.sleep(0.1)
            self._breaks.append(f"its events broke off at {since}, and go on since {time.time():.3f}")

    def _read(self, events: "subprocess.Popen[str]") -> None:
        assert events.stdout is not None
        for line in events.stdout:
            event = json.loads(line)
            if event["Type"] == "volume" and event["Actor"]["ID"] == f"{self._project}-witness":
                self._marked.set()
            elif event["Type"] == "container" and (moment := moment_of(event, self._projects)):
                self._moments.append(moment)

    def _ask(self, *arguments: str) -> str | None:
        """Return what the engine says, None while it is away."""
        try:
            done = subprocess.run([*self._docker, *arguments], check=False, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout if done.returncode == 0 else None

    def _containers(self) -> list[dict[str, Any]] | None:
        """Return what the engine says of each container; None while it is away, or where one went in the middle of it."""
        ids = list[str]()
        for project in self._projects:
            found = self._ask("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={project}")
            if found is None:
                return None
            ids += found.split()
        said = self._ask("inspect", *ids) if ids else "[]"
        return None if said is None else json.loads(said)

    def _catch_up(self) -> bool:
        """Add what each container says of its last start and end, and say whether the engine was there to be asked."""
        found = self._containers()
        if found is None:
            return False
        self._moments += caught_up(found, self._moments)
        return True


def caught_up(containers: Iterable[dict[str, Any]], known: Sequence[Moment]) -> list[Moment]:
    """Return the moments of containers, of which an engine says so much, beside those that are known by its events.

    The engine says by the runtime's time when a container ended, and tells of a start a moment after it: one that does not run
    has ended after all that is known of it. One that is gone had ended when that was found.
    """
    moments, now = list[Moment](), time.time_ns()
    there = {one["Id"]: one for one in containers}
    last = {one.container: one for one in sorted(known)}
    for id_, one in there.items():
        side = SIDES.get(one["Config"]["Labels"].get("com.docker.compose.service", ""), "audio")
        state, known_at = one["State"], last[id_].at + 1 if id_ in last else 0
        started, finished = nanoseconds(state["StartedAt"]), nanoseconds(state["FinishedAt"])
        told = f"the engine says after a break: {state['Status']}, started {state['StartedAt']}, ended {state['FinishedAt']}"
        if finished and state["Running"] and finished < started:
            moments.append(Moment(finished, id_, side, begins=False, told=told))
        if started:
            moments.append(Moment(started, id_, side, begins=True, told=told))
        if finished and not state["Running"]:
            moments.append(Moment(max(finished, started, known_at), id_, side, begins=False, told=told))
    gone = (one for id_, one in last.items() if one.begins and id_ not in there)
    return moments + [one._replace(at=now, begins=False, told="gone after a break") for one in gone]


def nanoseconds(moment: str) -> int:
    """Return an engine's time as nanoseconds since the epoch, 0 for one that is none."""
    if moment.startswith("0001"):
        return 0
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0")[:9] or 0)


def moment_of(event: dict[str, Any], projects: Collection[str]) -> Moment | None:
    """Return what an event says about the sides, or None when it says nothing."""
    attributes, action = event["Actor"]["Attributes"], event["Action"]
    if attributes.get("com.docker.compose.project") not in projects or action not in BEGINS | ENDS:
        return None
    side = SIDES.get(attributes.get("com.docker.compose.service", ""), "audio")
    told = f"{action} of {attributes.get('name')}{f', exit code {code}' if (code := attributes.get('exitCode')) else ''}"
    return Moment(event["timeNano"], event["Actor"]["ID"], side, action in BEGINS, told)


def starts(moments: Iterable[Moment], side: str) -> int:
    """Return how often a container of a side became active."""
    return sum(1 for moment in moments if moment.side == side and moment.begins)


def overlap_ms(moments: Iterable[Moment]) -> float:
    """Return for how many milliseconds both sides were active together."""
    return sum(end - begin for begin, end in overlaps(moments)) / 1e6


def overlaps(moments: Iterable[Moment]) -> list[tuple[float, float]]:
    """Return from when to when both sides were active together, in nanoseconds; infinity where that did not end."""
    active: dict[str, set[str]] = {"audio": set(), "training": set()}
    found: list[tuple[float, float]] = []
    since = None
    for moment in sorted(moments):
        (active[moment.side].add if moment.begins else active[moment.side].discard)(moment.container)
        both = all(active.values())
        if both and since is None:
            since = moment.at
        if not both and since is not None:
            found.append((since, moment.at))
            since = None
    return found if since is None else [*found, (since, float("inf"))]
