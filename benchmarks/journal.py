"""What a full journal costs a command, in milliseconds: a switch reads it three times, and nothing reads it more often.

python -m benchmarks.journal
"""

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from spark_mode.journal.journal import journal_state
from spark_mode.journal.journal_file import LIMIT, JournalFile
from spark_mode.journal.records import Began, Ended, Record, StepBegun, StepEnded
from spark_mode.journal.state import State
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Start, Stop
from spark_mode.planning.request import ModeRequest
from tests.audio_lab import seen

RUNS = 50
MOST_MS = 5
STOPPED = Stop(service="omni", subject="omni", cause="training runs alone", containers=("1",), by_compose=True)
STARTED = Start(service="training", subject="training", cause="requested", completes=True, ready_seconds=60)


def main() -> None:
    """Print the median and the slowest, for a journal of refusals and for one of switches."""
    gc.disable()
    before = seen("chatterbox", "whisper", "ollama", models=("llama3.1:8b",))
    print("a full journal (processor time):")
    for name, records in (("of refused requests", refused), ("of switches", lambda switch: switched(switch, before))):
        with tempfile.TemporaryDirectory() as folder:
            report(name, full(JournalFile(Path(folder) / "lab.journal"), records))


def full(journal: JournalFile, records: Callable[[str], list[Record]]) -> JournalFile:
    """Fill a journal until it is about to begin anew for the third time."""
    size, anew = 0, 0
    while anew < 2 or size < LIMIT - 2048:
        for record in records(os.urandom(6).hex()):
            journal.append(record)
        former, size = size, journal.path.stat().st_size
        anew += size < former
    return journal


def refused(switch: str) -> list[Record]:
    """Return what a refused request writes."""
    note = "training does not fit: 15.2 GB are free, and it needs 12.0 GB and 20.0 GB headroom"
    at = "2026-01-01T00:00:00+00:00"
    return [Ended(switch=switch, at=at, by="ann", request="training", outcome="refused", seconds=0.2, note=note)]


def switched(switch: str, before: Observed) -> list[Record]:
    """Return what a switch writes."""
    at, request = "2026-01-01T00:00:00+00:00", ModeRequest(mode="training")
    began = Began(
        switch=switch, at=at, by="ann", request=request, steps=(STOPPED, STARTED), before=before, restore=True, inputs={}
    )
    state = State(request="training", mode="training", since=at)
    ended = Ended(switch=switch, at=at, by="ann", request="training", outcome="applied", seconds=9.0, state=state)
    steps = [one for step in (STOPPED, STARTED) for one in (StepBegun(switch=switch, step=step), StepEnded(switch=switch))]
    return [began, *steps, ended]


def measured(act: Callable[[], object]) -> float:
    """Return the milliseconds of processor time that something takes."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000


def report(name: str, journal: JournalFile) -> None:
    """Print a line for a switch, and one for `history`, which reads the file of former endings as well."""
    switch = [measured(lambda: [journal_state(journal.records()) for _ in range(3)]) for _ in range(RUNS)]
    history = [measured(lambda: [journal_state(journal.records()), journal_state(journal.history())]) for _ in range(RUNS)]
    for verb, taken in (("a switch", switch), ("history", history)):
        figures = f"median {statistics.median(taken):5.2f} ms   slowest {max(taken):5.2f} ms   (limit {MOST_MS})"
        print(f"  {name + ', ' + verb:<32} {figures}")


if __name__ == "__main__":
    main()
