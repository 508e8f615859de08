"""What `check` found."""

from typing import Literal

from spark_mode.frozen import Frozen

Level = Literal["error", "warning", "info", "ok", "optional"]


class Finding(Frozen):
    """Something to mend (`error`), heed (`warning`), know (`info`), that is fine (`ok`) or could be had (`optional`)."""

    level: Level
    where: str
    message: str
    fix: str | None = None
