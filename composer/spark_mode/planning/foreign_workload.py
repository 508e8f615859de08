"""What runs beside the lab and counts: containers that are not of it, and plain commands. Nothing here is ever stopped."""

from collections.abc import Iterable

from spark_mode.frozen import Frozen
from spark_mode.planning.container import LEASED, Container


class ForeignContainer(Frozen):
    """An active container that is not of the lab's project, with what rules may know it by."""

    container: Container
    image: str
    labels: dict[str, str]
    project: str | None = None


class Command(Frozen):
    """A plain command that `run` has in the foreground of somebody's terminal: a workload while anything that it started runs.

    `workload` and `class_` are what it counts as, in a variant; `size` is what it is planned with, bytes. `title` is the command
    for people, without options, which may hold secrets. `pid` is the process that leads its group, `began` when that one began,
    in the kernel's ticks since boot; `since` is ISO 8601. `project` is the lab that runs it. `runner` is the `run` that waits
    for it, and `left` what runs of it once its group has ended.
    """

    workload: str
    class_: str
    variant: str | None
    size: int
    title: str
    project: str
    by: str
    since: str
    pid: int
    began: int
    runner: int = 0
    runner_began: int = 0
    left: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.left:
            left = f"process{'es' * (len(self.left) > 1)} {', '.join(map(str, self.left))}"
            return f'"{self.title}" of {self.by}, of which {left} is left, is running since {self.since}'
        return f'"{self.title}" of {self.by} (process {self.pid}) is running since {self.since}'

    @property
    def how_to_stop(self) -> str:
        """What its owner types to end it, with all that it started."""
        return f"kill {' '.join(map(str, self.left)) or f'-- -{self.pid}'}"

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form: who runs it, and since when."""
        return {"title": self.title, "by": self.by, "pid": self.pid, "since": self.since}

    def as_container(self) -> Container:
        """Return what counts as active while it runs."""
        id_ = f"command {self.pid} {self.began}"
        return Container(id=id_, name=self.title, state="running", variant=self.variant, started_at=self.since)


class ForeignWorkload(Frozen):
    """What is active, is not of the lab's project, and the rules speak of: a container, or a command. Never stopped, it counts.

    `name` is a workload, a model that the container may serve, or the service of a host or of what rules.yaml leaves out.
    `project` is the one that Compose started it for. A `command` counts as a container that is called as it is.
    """

    name: str
    container: Container
    project: str | None = None
    command: Command | None = None

    def __str__(self) -> str:
        if self.command:
            return f"the command {self.command}"
        whose = f"of the project {self.project}" if self.project else "outside this lab"
        return f'the container "{self.container.name}" {whose} is {self.container.condition}'

    @property
    def is_about_to_start(self) -> bool:
        """Whether it is what somebody was allowed to start, and there is nothing to stop yet."""
        return self.container.state == LEASED

    @property
    def how_to_stop(self) -> str:
        """What its owner types to end it: with a command all that it started goes."""
        return self.command.how_to_stop if self.command else f"docker stop {self.container.name}"


def how_to_stop(found: Iterable[ForeignWorkload]) -> str | None:
    """Return what to type to end all of these, None where nothing of them runs yet."""
    there = [one for one in found if not one.is_about_to_start]
    containers = " ".join(dict.fromkeys(one.container.name for one in there if not one.command))
    commands = dict.fromkeys(one.how_to_stop for one in there if one.command)
    return "; ".join([*([f"docker stop {containers}"] if containers else []), *commands]) or None
