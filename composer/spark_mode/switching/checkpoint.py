"""Whether a training that was stopped had the time to write its checkpoint: the one place that judges it."""

from spark_mode.planning.container import Container

ENDED_WELL = frozenset({0, 143})
"""Done, and ended by the SIGTERM that asked for it."""
KILLED = 137  # by SIGKILL, at the end of its grace


def lost_checkpoint(training: Container) -> str | None:
    """Return what to say, loudly, of a training after its stop; None where it ended well or has not ended."""
    if training.active or training.exit_code in ENDED_WELL:
        return None
    if training.exit_code == KILLED:
        return (
            f"{training.name} did not end within its {training.stop_seconds} s and was killed (137): ITS CHECKPOINT MAY BE LOST. "
            "Give it more time: stop_grace_period in the Compose file"
        )
    return (
        f"{training.name} ended with {training.exit_code} when it was stopped: ITS CHECKPOINT MAY BE LOST. "
        f"Its last words: docker logs --tail 20 {training.name}"
    )
