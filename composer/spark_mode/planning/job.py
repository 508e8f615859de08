"""A job of a queue: what asks for a mode in somebody's name, and holds it for as long as it lives."""

import re
from typing import Self

from spark_mode.frozen import Frozen

FORM = re.compile(r"(?P<id>[A-Za-z0-9][A-Za-z0-9_.+-]{0,63})(?::(?P<start>[0-9]{1,19}))?")
"""How one is written: its number in the queue and, after a colon, when it began."""


class Job(Frozen):
    """A job by its `id`, and by its `start` in the queue's own seconds: a queue that has lost its memory gives numbers anew."""

    id: str
    start: int | None = None

    def __str__(self) -> str:
        return self.id if self.start is None else f"{self.id}:{self.start}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ID` or `ID:START`. Raises ValueError for what is neither."""
        found = FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no job: ID, or ID:START")
        return cls(id=found["id"], start=None if found["start"] is None else int(found["start"]))

    def means(self, other: "Job | None") -> bool:
        """Whether the other one is this job. Where one of them has no start, the number alone says it."""
        return other is not None and self.id == other.id and (None in (self.start, other.start) or self.start == other.start)
