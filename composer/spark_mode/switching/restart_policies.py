"""Restart policies of what is stopped: `no` until it was started again by a switch, so that nothing resurrects it.

`restart: always` has a stopped container started with the engine (measured), beside whatever runs by then.
"""

from spark_mode.engine.doors import Docker
from spark_mode.planning.container import Container
from spark_mode.switching.attempt import Attempt


class RestartPolicies:
    """Takes containers their restart policy, and gives each its own one back."""

    def __init__(self, docker: Docker, attempt: Attempt) -> None:
        self._docker, self._attempt = docker, attempt

    def disarm(self, *containers: Container) -> None:
        """Have containers stay stopped whatever happens to the engine; not when what they are owed could not be written."""
        armed = [one for one in containers if one.restart_policy != "no" and one.state not in ("removing", "dead")]
        if armed and self._attempt.disarmed(armed):
            self._docker.set_restart_policies({one.id: ("no", 0) for one in armed})

    def give_back(self, *containers: Container) -> None:
        """Give containers that are up their own restart policies back."""
        owed = [found for one in containers if one.active and (found := self._attempt.owed(one.id))]
        if owed:
            self._docker.set_restart_policies({one.container: (one.policy, one.retries) for one in owed})
            self._attempt.given_back(owed)
