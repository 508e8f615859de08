"""When a started service counts as ready, and when as failed; Compose's own `--wait` calls a crash loop healthy."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from spark_mode.engine.doors import Changes, Clock
from spark_mode.planning.container import Container
from spark_mode.planning.side_by_side import SETTLE_SECONDS

POLL_SECONDS = 0.1
"""How often is looked when nothing happens, and memory sampled while a service starts."""


class Judgement(NamedTuple):
    """Ready, still starting, or failed, and why."""

    verdict: Literal["ready", "starting", "failed"]
    reason: str = ""


def judge(
    container: Container | None,
    first: Container,
    completes: bool,
    seconds: float,
    awaited: bool = False,
    settle: float = SETTLE_SECONDS,
) -> Judgement:
    """Judge a started container. `first` is how it was seen first after its start, `seconds` ago.

    Exit 0 is success only where the service `completes`; a restart is failure at once. What is `awaited` to complete is not
    ready while it runs. `settle` is how many seconds one without a health check must run.
    """
    if container is None:
        return Judgement("failed", "its container is gone")
    restarted = container.restart_count > first.restart_count or (
        first.state == "running" and container.started_at != first.started_at
    )
    if container.state == "restarting" or restarted:
        code = "" if container.active and container.state != "restarting" else f" (exit {_code(container)})"  # 0 while it runs
        return Judgement("failed", f"it crashed and restarts{code}")
    if container.state == "running":
        return Judgement("starting", "it has not completed yet") if awaited else _judge_running(container, seconds, settle)
    if container.state == "exited" and container.exit_code == 0 and completes:
        return Judgement("ready", "completed")
    ended = container.state in ("exited", "dead")
    return Judgement("failed", f"it exited with {_code(container)}" if ended else f"it is {container.state}")


def _code(container: Container) -> str:
    """Return the exit code, and the kernel's part in it: 137 alone does not mean that memory ran out."""
    return f"code {container.exit_code}" + (", killed by the kernel for want of memory" if container.oom_killed else "")


def _judge_running(container: Container, seconds: float, settle: float) -> Judgement:
    match container.health:
        case "healthy":
            return Judgement("ready")
        case "unhealthy":
            return Judgement("failed", "its health check fails")
        case "starting":
            return Judgement("starting", "not healthy yet")
        case "none":
            return Judgement("ready") if seconds >= settle else Judgement("starting", "settling")


def await_ready(
    look: Callable[[], Container | None],
    first: Container,
    completes: bool,
    awaited: bool,
    bound: float,
    clock: Clock,
    changes: Changes,
    tick: Callable[[float, bool], None],
    settle: float = SETTLE_SECONDS,
) -> Judgement:
    """Look whenever something happens, and between, until a service is ready or has failed, at most `bound` seconds.

    `tick` is called after each look with the seconds waited, and whether something happened; what it raises ends the wait.
    """
    begun, happened = clock.now(), True
    while True:
        waited = clock.now() - begun
        judgement = judge(look(), first, completes, waited, awaited, settle)
        if judgement.verdict != "starting":
            return judgement
        if waited >= bound:
            return Judgement("failed", f"it was not ready within {bound:g} s")
        tick(waited, happened)
        happened = changes.wait(POLL_SECONDS)


def described(container: Container) -> str:
    """Return how a container was last seen, in a few words."""
    health = f", {container.health}" if container.health != "none" else ""
    code = f", exit code {container.exit_code}" if container.state != "running" else ""  # the engine says 0 while it runs
    restarts = f", restarted {container.restart_count} times" if container.restart_count else ""
    return f"{container.state}{health}{code}{restarts}"


def remark_on(container: Container, is_known_unhealthy: bool, is_started: bool) -> str | None:
    """Return what its log should be read for at the end of a switch."""
    if container.health == "unhealthy" and not is_known_unhealthy:
        return "is unhealthy; look at its log"
    return "has ended by itself, with exit code 0; its log" if container.state == "exited" and is_started else None
