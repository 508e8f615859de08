"""Jobs of a queue: each has the machine once the machine's own rule has a place for it, and leaves nothing behind."""

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from spark_mode.errors import Interrupted, Refused, TryLater
from spark_mode.journal.records import Held
from spark_mode.planning.job import Job
from spark_mode.planning.plan import Step
from spark_mode.planning.request import ModeRequest
from spark_mode.sharing.ended_jobs import MOST, EndedJobs
from spark_mode.sharing.lock import NAME
from spark_mode.sharing.process import process_began
from spark_mode.sharing.shared_file import open_lock, takes
from spark_mode.switching.job import hold_for_job, release_job
from spark_mode.switching.report import SwitchOptions
from tests.deep import DEEP
from tests.nobody import Nobody
from tests.simulation.engine import WHEN, Killed, When
from tests.simulation.lab import REQUESTS, SimulatedSession, ask, machine
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING, STOP = REQUESTS[0], REQUESTS[2], REQUESTS[5], REQUESTS[7]
JOB, LATER = Job(id="42", start=1000), Job(id="42", start=2000)


class Meanwhile(SimulatedSession):
    """A session whose clock has something happen at a moment, in seconds from the beginning."""

    def __init__(self, on: SimulatedMachine, folder: Path, at: float, what: Callable[[], object]) -> None:
        super().__init__(on, folder)
        self._at, self._what, self._slept = on.now() + at, what, on.sleep
        self.clock = self

    def now(self) -> float:
        return self.simulated.now()

    def sleep(self, seconds: float) -> None:
        self._slept(seconds)
        if self.simulated.now() >= self._at:
            self._at = float("inf")
            self._what()


def hold(
    session: SimulatedSession, request: object = TRAINING, job: Job = JOB, wait: float = 0.0, watcher: Nobody | None = None
) -> int:
    assert isinstance(request, ModeRequest)
    return hold_for_job(session, request, job, wait, watcher or Nobody(), SwitchOptions(no_input=True))


def running_job(on: SimulatedMachine, folder: Path, request: object = TRAINING, job: Job = JOB) -> None:
    """Leave a job running whose own process was killed."""

    def killed() -> None:
        raise Killed

    with pytest.raises(Killed):
        hold(Meanwhile(on, folder, 5.0, killed), request, job)


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_ends_as_its_run_does_and_holds_nothing_any_more(tmp_path: Path, code: int) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    assert hold(Meanwhile(one, tmp_path, 600.0, lambda: one.die("training", code))) == code
    assert SimulatedSession(one, tmp_path).journal_state.holds == ()
    assert one.running() == {}


def test_while_a_job_lives_other_switches_are_refused_and_named_the_job(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    for request in (OMNI, STOP):
        with pytest.raises(Refused, match=r"training is held: job 42 of .* holds training since") as refused:
            ask(one, tmp_path, request)
        assert refused.value.hint == "wait until it ends, or end the job: spark-mode fleet stop 42"
    assert set(one.running()) == {"training"}


def test_a_job_that_finds_no_place_in_time_is_asked_for_again_later(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    with pytest.raises(TryLater, match="job 43 has no place here now: training is held: job 42") as later:
        hold(SimulatedSession(one, tmp_path), OMNI, Job(id="43"), wait=10.0)
    assert later.value.exit_code == 75
    assert set(one.running()) == {"training"}


def test_a_job_waits_for_the_end_of_another(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    session = Meanwhile(one, tmp_path, 5.0, lambda: one.die("training", 0))

    def end() -> None:
        session._at, session._what = one.now() + 60.0, lambda: one.outside_stop("omni")
        one.die("training", 0)

    session._what = end
    watcher = Nobody()
    assert hold(session, OMNI, Job(id="43"), wait=20.0, watcher=watcher) == 0
    assert "start omni" in watcher.begun


def test_a_training_that_is_no_jobs_is_neither_taken_over_nor_stopped(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    with pytest.raises(TryLater, match="training runs already, and is not this job's"):
        hold(SimulatedSession(one, tmp_path))
    with pytest.raises(TryLater, match="would stop training, which runs"):
        hold(SimulatedSession(one, tmp_path), OMNI)
    assert set(one.running()) == {"training"}


def test_a_signal_stops_the_run_and_the_job_ends_as_that_does(tmp_path: Path) -> None:
    one = machine()
    assert hold(Meanwhile(one, tmp_path, 60.0, lambda: os.kill(os.getpid(), signal.SIGTERM))) == 0
    assert one.running() == {}
    assert SimulatedSession(one, tmp_path).journal_state.holds == ()


class Queue(Nobody):
    """A queue that says SIGTERM three times at once when a step begins."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def started(self, number: int, step: Step) -> None:
        super().started(number, step)
        if self.begun[-1].startswith(self._step):
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)


def test_while_a_jobs_run_is_stopped_its_queue_may_say_it_again(tmp_path: Path) -> None:
    one = machine()
    session = Meanwhile(one, tmp_path, 60.0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert hold(session, watcher=Queue("stop")) == 0
    assert one.running() == {}
    assert SimulatedSession(one, tmp_path).journal_state.holds == ()


def test_while_a_job_begins_its_queue_may_say_it_again_and_what_ran_before_comes_back(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    with pytest.raises(Interrupted):
        hold(SimulatedSession(one, tmp_path), watcher=Queue("start training"))
    assert set(one.running()) == {"omni"}
    assert SimulatedSession(one, tmp_path).journal_state.unfinished is None


def test_a_signal_while_a_job_waits_touches_nothing(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    session = Meanwhile(one, tmp_path, 2.0, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match="job 43 was ended while it waited"):
        hold(session, OMNI, Job(id="43"), wait=100.0)
    assert set(one.running()) == {"training"}


def test_said_again_for_the_same_job_it_is_the_same_run(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    before = one.of("training")
    watcher = Nobody()
    assert hold(Meanwhile(one, tmp_path, 5.0, lambda: one.die("training", 4)), watcher=watcher) == 4
    assert watcher.begun == []
    after = one.of("training")
    assert before and after and before.id == after.id


def test_a_number_that_comes_back_is_another_job(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    with pytest.raises(TryLater, match="is held: job 42"):
        hold(SimulatedSession(one, tmp_path), job=LATER)
    assert release_job(SimulatedSession(one, tmp_path), LATER, Nobody()) == []
    assert set(one.running()) == {"training"}


@pytest.mark.parametrize("job", [JOB, Job(id="42")], ids=str)
def test_a_release_stops_what_the_job_left_running_and_said_again_does_nothing(tmp_path: Path, job: Job) -> None:
    one = machine()
    running_job(one, tmp_path)
    assert [held.request for held in release_job(SimulatedSession(one, tmp_path), job, Nobody())] == ["training"]
    assert one.running() == {}
    ask(one, tmp_path, OMNI)
    assert release_job(SimulatedSession(one, tmp_path), job, Nobody()) == []
    assert set(one.running()) == {"omni"}


def test_a_release_leaves_what_was_there_before_the_job(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, REQUESTS[1])
    shared = {*one.running()} - {"chatterbox"}
    running_job(one, tmp_path, XTTS)
    release_job(SimulatedSession(one, tmp_path), JOB, Nobody())
    assert {*one.running()} == shared


APART = 1 if DEEP else 3
"""Of the effects each of how many is tried with a kill at one of the three moments; all of them with any."""


@pytest.mark.parametrize("when", WHEN)
def test_wherever_a_job_is_killed_its_release_leaves_nothing_of_it(tmp_path: Path, when: When) -> None:
    """Killed at each effect of its switch, and of its end; what ran before comes back where it was cut off in the middle."""
    killed, start = 0, machine()
    ask(start, tmp_path, OMNI)
    for count in range(0 if DEEP else WHEN.index(when), 40, APART):
        folder = tmp_path / str(count)
        folder.mkdir()
        one = start.fork()
        one.kill_at = (one.effects + count, when)
        try:
            hold(Meanwhile(one, folder, 60.0, lambda one=one: one.die("training", 0)))  # type: ignore[misc]
        except Killed:
            killed += 1
        else:
            break
        one.kill_at = None
        release_job(SimulatedSession(one, folder), JOB, Nobody())
        after = SimulatedSession(one, folder).journal_state
        assert (after.unfinished, after.holds) == (None, ()), count
        assert set(one.running()) <= {"omni"}, count
    assert killed > 5 / APART


def test_a_job_that_has_ended_begins_nothing_late(tmp_path: Path) -> None:
    one = machine()
    release_job(SimulatedSession(one, tmp_path), JOB, Nobody())
    with pytest.raises(TryLater, match="job 42 has ended by now"):
        hold(SimulatedSession(one, tmp_path))
    running_job(one, tmp_path, job=LATER)
    assert set(one.running()) == {"training"}


def test_a_job_that_ends_while_it_waits_gives_up(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    session = Meanwhile(one, tmp_path, 5.0, lambda: release_job(SimulatedSession(one, tmp_path), JOB, Nobody()))
    with pytest.raises(Interrupted, match="was ended while it waited"):
        hold(session, OMNI, wait=100.0)
    assert set(one.running()) == {"training"}


def test_the_end_of_a_job_does_not_wait_for_a_switch_that_loads_a_model(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    with ExitStack() as held:
        descriptor = open_lock(tmp_path / NAME)
        held.callback(os.close, descriptor)
        assert takes(descriptor)
        watcher = Nobody()
        assert len(release_job(SimulatedSession(one, tmp_path), JOB, watcher)) == 1
        assert one.running() == {}
        assert "what the job runs is stopped beside it" in watcher.warnings[0]
        assert len(SimulatedSession(one, tmp_path).journal_state.holds) == 1
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, OMNI)
    assert set(one.running()) == {"omni"}, "a hold that could not be tidied away holds nothing"


def test_a_file_of_ended_jobs_that_cannot_be_read_ends_nothing(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    SimulatedSession(one, tmp_path).ended_jobs.add(LATER)
    (path,) = tmp_path.glob("*.jobs.json")
    for text in ("", "{}", "[1, 2]", "no json"):
        path.write_text(text)
        with pytest.raises(Refused, match="is held: job 42"):
            ask(one, tmp_path, OMNI)


def test_only_the_last_ended_jobs_are_kept(tmp_path: Path) -> None:
    ended = EndedJobs(tmp_path / "a.jobs.json")
    for number in range(MOST + 5):
        ended.add(Job(id=str(number), start=1))
    ended.add(Job(id="7"))
    assert Job(id="4", start=1) not in ended
    assert Job(id="5", start=1) in ended
    assert Job(id="7") not in ended, "without a start it could be any to come"


def test_a_release_without_a_start_leaves_a_job_that_somebody_follows(tmp_path: Path) -> None:
    one = machine()
    running_job(one, tmp_path)
    session = SimulatedSession(one, tmp_path)
    (known,) = session.journal_state.holds
    parent = os.getppid()
    followed = known.model_copy(update={"runner": parent, "runner_began": process_began(parent) or 0})
    session.journal.append(Held(holds=(followed,)))
    assert release_job(SimulatedSession(one, tmp_path), Job(id="42"), Nobody()) == []
    assert set(one.running()) == {"training"}
    assert SimulatedSession(one, tmp_path).journal_state.holds == (followed,)
    assert release_job(SimulatedSession(one, tmp_path), JOB, Nobody()) == [followed], (
        "with its start it has ended, whoever follows it"
    )
    assert one.running() == {}
