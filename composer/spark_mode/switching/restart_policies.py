"""Restart policies of what is stopped: `no` until it was started again by a switch, so that nothing resurrects it.

`restart: always` has a stopped container started with the engine (measured), beside whatever runs by then.
"""

from spark_mode.engine.doors import Docker
from spark_mode.planning.observed import Container
from spark_mode.switching.attempt import Attempt


class RestartPolicies:
    """Takes containers their restart policy, and gives each its own one back."""

    def __init__(self, docker: Docker, attempt: Attempt) -> None:
        self._docker, self._attempt = docker, attempt

    def disarm(self, *containers: Container) -> None:
        """Have containers stay stopped whatever happens to the engine; not when what they are owed could not be written."""
        armed = [one for one in containers if one.restart_policy != "no" and one.state not in ("removing", "dead")]
        if armed and self._attempt.disarmed(armed):
            for one in armed:
                self._docker.set_restart_policy(one.id, "no", 0)

    def give_back(self, container: Container) -> None:
        """Give a container that is up its own restart policy back."""
        owed = self._attempt.owed(container.id)
        if owed and container.active:
            self._docker.set_restart_policy(container.id, owed.policy, owed.retries)
            self._attempt.given_back(owed)
