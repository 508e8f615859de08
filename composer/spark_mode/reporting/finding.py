"""What `check` found."""

from typing import Literal

from spark_mode.frozen import Frozen

Level = Literal["error", "warning", "info", "ok"]


class Finding(Frozen):
    """Something to mend (`error`), to heed (`warning`), to know (`info`), or that is fine (`ok`)."""

    level: Level
    where: str
    message: str
    fix: str | None = None
