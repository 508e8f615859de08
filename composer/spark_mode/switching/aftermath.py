"""What a switch that was cut off had asked the engine for, and what may still come of it: the engine outlives its clients."""

from collections.abc import Callable

from spark_mode.engine.doors import Clock
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Create, Remove, Start, StartContainer, Step, Stop, Unpause
from spark_mode.planning.side_by_side import together
from spark_mode.session.observe import Observer

QUIET_SECONDS = 2.0
"""How long nothing may change. A container that was asked for came up 1 s after its client was killed (measured)."""
QUIET_DEADLINE_SECONDS = 5.0
"""How long is waited at most: somebody who starts and stops the same container again and again holds nobody up."""
STOP_MARGIN_SECONDS = 5.0
POLL_SECONDS = 0.25
HARMLESS = frozenset({"create", "drop-caches", "await-release", "run", "verify"})
"""The actions that stop, start, load and unload nothing: a command begins only after its switch has ended."""


def await_quiet(cut_off: UnfinishedSwitch, observer: Observer, clock: Clock, tick: Callable[[Observed], object]) -> None:
    """Wait, shortly, until no container of the steps that were begun changes: the engine finishes what it was asked.

    When they don't come to rest it goes on all the same: everything is looked at again before each effect. `tick` is given
    what is seen.
    """
    asked = frozenset(name for step in cut_off.steps for name in _changed_by(step))
    begun = quiet_since = clock.now()
    last: frozenset[tuple[str, bool]] | None = None
    while clock.now() - quiet_since < QUIET_SECONDS and clock.now() - begun < QUIET_DEADLINE_SECONDS:
        seen = observer.observe_running()
        now = _activity(seen, asked)
        if now != last:
            last, quiet_since = now, clock.now()
        tick(seen)
        clock.sleep(POLL_SECONDS)


def await_stops(cut_off: UnfinishedSwitch, observer: Observer, clock: Clock, tick: Callable[[Observed], object]) -> None:
    """Give containers whose stop was begun the time to end: they may have been told to, and then do not run on.

    One that was started anew since the switch began has ended already. `tick` is given what is seen.
    """
    told = {id_ for step in cut_off.steps if isinstance(step, Stop) for id_ in step.containers}
    begun, seen = clock.now(), observer.observe_running()
    first = {one.id: one.started_at for one in cut_off.began.before.active if one.id in told}
    while left := [one for one in seen.active if first.get(one.id) == one.started_at]:
        if clock.now() - begun >= max(one.stop_seconds for one in left) + STOP_MARGIN_SECONDS:
            return
        tick(seen)
        clock.sleep(POLL_SECONDS)
        seen = observer.observe_running()


def comes_late(cut_off: UnfinishedSwitch, before: Observed, observer: Observer, clock: Clock) -> bool:
    """Whether the start that a switch had asked for last comes only now, after a stop that waited for nothing: it is looked for.

    `before` is what the stop saw at first: what ran then was stopped with the rest.
    """
    last = list(together(cut_off.steps))[-1] if cut_off.steps else ()
    asked = {name for step in last for name in _changed_by(step)} - set(cut_off.ready)
    if not asked or last[-1].action in HARMLESS | {"stop"}:
        return False
    if any(asked & {one.id, one.service} for one in before.active):
        return False
    begun = clock.now()
    while clock.now() - begun < QUIET_SECONDS:
        if any(asked & {one.id, one.service} for one in observer.observe_running().active):
            return True
        clock.sleep(POLL_SECONDS)
    return False


def _changed_by(step: Step) -> tuple[str, ...]:
    """Return the services, or the containers' ids, that a step creates, removes, starts or stops."""
    match step:
        case Create(services=services):
            return services
        case Start(service=service) | Unpause(service=service):
            return (service,)
        case StartContainer(container=container) | Remove(container=container):
            return (container,)
        case Stop(containers=containers):
            return containers
    return ()


def _activity(observed: Observed, asked: frozenset[str]) -> frozenset[tuple[str, bool]]:
    return frozenset((one.id, one.active) for one in observed.containers if asked & {one.id, one.service})
