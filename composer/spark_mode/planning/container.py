"""A container as the engine reported it."""

from typing import Literal

from pydantic import Field

from spark_mode.frozen import Frozen

LEASED = "leased"
"""The state of a container that somebody else was allowed to start and has not started yet."""
ACTIVE_STATES = frozenset({"running", "paused", "restarting", "removing", "unknown", LEASED})
"""A paused container holds its memory and a restarting one takes it again; what cannot be told counts as active."""

Health = Literal["none", "starting", "healthy", "unhealthy"]


class Container(Frozen):
    """A container as the engine reported it. Times are the engine's: ISO 8601, and seconds since the epoch to compare them.

    `shares` are the containers, by id, whose namespaces or volumes it uses. `project` is the Compose project that it is of,
    where the lab has several. `checked` says that a health check expects it to run on, be that of the files or of its image.
    It `has_gpu` as far as the engine says so: it was made with one. Of one in `doubt` nobody can say whether it runs.
    `networks` are what the engine looks for to start it: ids, and names before its first start. No journal keeps them.
    """

    id: str
    name: str
    state: str
    service: str | None = None
    health: Health = "none"
    exit_code: int = 0
    oom_killed: bool = False
    restart_count: int = 0
    started_at: str = ""
    started_seconds: float = 0.0
    one_off: bool = False
    variant: str | None = None
    config_hash: str | None = None
    image_id: str | None = None
    depends_on: tuple[str, ...] = ()
    stop_seconds: int = 10
    restart_policy: str = "no"
    restart_retries: int = 0
    address: str | None = None
    shares: tuple[str, ...] = ()
    project: str | None = None
    checked: bool = False
    has_gpu: bool = False
    networks: tuple[str, ...] = Field(default=(), exclude=True)
    doubt: bool = False

    @property
    def active(self) -> bool:
        """Whether it holds memory, or may hold it at any moment."""
        return self.state in ACTIVE_STATES

    @property
    def condition(self) -> str:
        """Its state, in words of a sentence."""
        return "about to start" if self.state == LEASED else self.state
