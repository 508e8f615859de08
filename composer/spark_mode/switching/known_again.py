"""What an engine that was killed in the middle of a start does not know to run: it is had known again, and then stopped or kept.

An engine that is killed as the process of a container begins comes back without a trace of that (measured): it says that the
container does not run, and neither a stop nor a kill nor its removal ends what does. Another start takes its place.
"""

from spark_mode.engine.doors import Machine, StartFailed
from spark_mode.errors import NeedsAttention, StepFailed
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Start, StartContainer
from spark_mode.session.session import Session
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.last_look import require_clear_in

TRIES = 3
"""How often at most it is started anew: once in some the engine loses it again."""


def have_known(cut_off: UnfinishedSwitch, session: Session, attempt: Attempt) -> None:
    """Have the engine know what a switch had begun to start and what runs unseen, where nothing beside it forbids that.

    Raises NeedsAttention where it cannot be brought to it, EngineUnavailable.
    """
    for tried in range(TRIES + 1):
        seen = session.observer.observe_running()
        for one in _unseen(cut_off, seen, session.machine):
            told = f"{one.name} runs, and Docker, which was killed as that began, does not know it"
            if tried == TRIES:
                raise NeedsAttention(told, f"see its processes, and end them: grep -l {one.id[:12]} /proc/[0-9]*/cgroup")
            try:
                require_clear_in(seen, one.service or "", session.rules)
                session.docker.start(one.id)
                attempt.warned(f"{told}: it is started anew")
            except (StepFailed, StartFailed) as error:
                attempt.warned(f"{told}: {error}")


def _unseen(cut_off: UnfinishedSwitch, seen: Observed, machine: Machine) -> tuple[Container, ...]:
    """Return what a switch had begun to start, and has processes though the engine says that it does not run."""
    begun = {step.service for step in cut_off.steps if isinstance(step, Start)}
    begun |= {step.container for step in cut_off.steps if isinstance(step, StartContainer)}
    ended = [one for one in seen.containers if not one.active and begun & {one.id, one.service}]
    running = {one.container for one in machine.processes(0)} if ended else set()
    return tuple(one for one in ended if one.id in running)
