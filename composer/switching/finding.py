"""What `check` found."""

from typing import Literal

from composer.frozen import Frozen

Level = Literal["error", "warning", "ok"]


class Finding(Frozen):
    """Something to mend (`error`), to know (`warning`), or that is fine (`ok`)."""

    level: Level
    where: str
    message: str
    fix: str | None = None
