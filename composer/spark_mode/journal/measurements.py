"""What workloads really took, beside what they declare: one line of JSON for each start that settled."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from spark_mode.atomic_file import replace_file
from spark_mode.errors import ConfigurationError
from spark_mode.frozen import Frozen
from spark_mode.plain_file import fault, read_plain

MOST_RECORDS = 1000
FAR = 0.25
"""How far a declaration may be from the median of what was seen, as a share of it, before `check` warns."""
ENOUGH = 3
"""How many starts make a median that is worth a warning."""
AGREE = 0.1
"""How far a start may be from the median, as a share of it, to agree with it."""
MOVED = 0.1
"""How much of what a start took others may have taken or given back meanwhile, for the start to count."""
MOVED_BYTES = 64 * 10**6
"""What programs of any machine take and give back within seconds, our own too."""


class Measurement(Frozen):
    """One start. The sizes are bytes by which the machine's available memory dropped.

    `peak` is the largest drop, `settled` the one when the container was ready.
    `held` is what its container itself was seen to hold then, and `others` by how much more all others were; None where that is
    unknown. `at` is ISO 8601, UTC.
    """

    at: str
    workload: str
    container: str
    declared: int
    peak: int
    settled: int
    held: int | None = None
    others: int | None = None

    @property
    def took(self) -> int:
        """The bytes that it took at least, once settled: the drop, or what it held where other memory came back meanwhile."""
        return max(self.settled, self.held or 0)

    @property
    def counts(self) -> bool:
        """Whether what it took is its own, as far as is known: others' memory stayed where it was."""
        return abs(self.others or 0) <= max(MOVED * self.took, MOVED_BYTES)


class Footprints(Frozen):
    """What one workload was seen to take once settled, over the `count` starts that count, and its highest peak; bytes.

    During the `disturbed` ones others' memory moved; where there is no other start they are what is summed up. `agreeing`
    starts are near the median. `since` and `until` are ISO 8601.
    """

    workload: str
    declared: int
    count: int
    disturbed: int
    agreeing: int
    median: int
    low: int
    high: int
    peak: int
    since: str
    until: str

    @property
    def agrees(self) -> bool:
        """Whether two starts that count are alike: one alone may be anything."""
        return self.count >= 2 and self.agreeing >= 2

    @property
    def is_far(self) -> bool:
        """Whether the declaration is far from what was seen often enough, and alike."""
        return self.count >= ENOUGH and self.agrees and abs(self.median - self.declared) > FAR * self.declared


def read_measurements(path: Path) -> tuple[Measurement, ...]:
    """Return the records that can be read; a torn or foreign line is left out."""
    try:
        lines = read_plain(path, follow=False).splitlines()
    except OSError:
        return ()
    return tuple(found for line in lines if (found := _parsed(line)))


def add_measurements(path: Path, new: Iterable[Measurement]) -> None:
    """Add records, and keep the latest. Raises ConfigurationError when they cannot be written."""
    added = tuple(new)
    if not added:
        return
    kept = [*read_measurements(path), *added][-MOST_RECORDS:]
    try:
        replace_file(path, "".join(one.model_dump_json() + "\n" for one in kept).encode(), 0o660)
    except OSError as error:
        message, fix = fault(path, error, "make room, or make it writable")
        raise ConfigurationError(f"{message}; what this switch measured is not kept", fix) from None


def footprints(records: Iterable[Measurement]) -> tuple[Footprints, ...]:
    """Return what each workload was seen to take, in order of name."""
    by_name: dict[str, list[Measurement]] = {}
    for one in records:
        by_name.setdefault(one.workload, []).append(one)
    return tuple(_footprints(name, by_name[name]) for name in sorted(by_name))


def _footprints(name: str, seen: list[Measurement]) -> Footprints:
    import statistics  # 5 ms, which only `check` and `calibrate` pay

    counted = [one for one in seen if one.counts]
    told = counted or seen
    settled = [one.took for one in told]
    median = round(statistics.median(settled))
    return Footprints(
        workload=name,
        declared=seen[-1].declared,
        count=len(counted),
        disturbed=len(seen) - len(counted),
        agreeing=sum(abs(one - median) <= AGREE * median for one in settled),
        median=median,
        low=min(settled),
        high=max(settled),
        peak=max(max(one.peak, one.took) for one in told),
        since=told[0].at,
        until=told[-1].at,
    )


def _parsed(line: bytes) -> Measurement | None:
    try:
        return Measurement.model_validate_json(line)
    except ValidationError:
        return None
