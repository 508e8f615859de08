"""The steps of a switch as they end, each a row in the columns of their plan."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from spark_mode.cli.tables import blocks
from spark_mode.planning.plan import Step
from spark_mode.planning.step_words import rows_said
from spark_mode.readable import readable

UNTIMED = " " * 7
"""The room that the time of a step has in its row."""


class StepRows:
    """The rows of a plan, or of a way back."""

    def __init__(self, steps: Sequence[Step] = (), projects: Mapping[str, str] = MappingProxyType({})) -> None:
        self._steps, self._projects = steps, projects
        self._rows = rows_said(steps, projects)

    def of(self, number: int, step: Step) -> tuple[str, str, str, str]:
        """Return number, action, subject and cause of a step, also of one that no plan has announced."""
        if number <= len(self._steps) and self._steps[number - 1] == step:
            return self._rows[number - 1]
        return rows_said([step], self._projects, number)[0]

    def ended(self, mark: str, number: int, step: Step, seconds: float, width: int | None, reason: str | None = None) -> str:
        """Return the row of a step that has ended, with the time that it took; a `reason` why it failed stands for its cause."""
        own = self.of(number, step)
        said = own[3] if reason is None else reason.removeprefix(f"{step.subject} did not start: ")
        row = (mark, *own[:3], f"{seconds:.1f} s".rjust(len(UNTIMED)), readable(said))
        others = [(" ", *other[:3], UNTIMED, other[3]) for other in self._rows if other != own]
        return blocks([row, *others], right=(1,), width=width)[0]
