"""Whether a training that was stopped may have lost its checkpoint."""

import pytest

from spark_mode.planning.container import Container
from spark_mode.switching.checkpoint import lost_checkpoint


def ended(code: int, state: str = "exited") -> Container:
    return Container(id="1", name="training-1", service="training", state=state, exit_code=code, stop_seconds=60)


@pytest.mark.parametrize("code", [0, 143])
def test_a_training_that_ended_as_it_was_asked_to_is_no_warning(code: int) -> None:
    assert lost_checkpoint(ended(code)) is None


@pytest.mark.parametrize(("code", "says"), [(1, "ended with 1"), (137, "was killed"), (139, "ended with 139")])
def test_any_other_end_is_a_loud_warning(code: int, says: str) -> None:
    said = lost_checkpoint(ended(code)) or ""
    assert says in said
    assert "ITS CHECKPOINT MAY BE LOST" in said


def test_what_still_runs_is_not_judged() -> None:
    assert lost_checkpoint(ended(1, "running")) is None
