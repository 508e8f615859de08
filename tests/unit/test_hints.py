"""A hint leads on: the command that it names is not refused where it was told."""

import os
import re

from hypothesis import event, given, settings

from tests.random_labs import RandomLab, random_labs

LABS = int(os.environ.get("SPARK_MODE_LABS", "60"))
COMMAND = re.compile(r"spark-mode ((?:up|stop|restore|audio|training|serve)\b[^,;()]*)")


@settings(max_examples=LABS, deadline=None)
@given(random_labs())
def test_a_command_that_a_refusal_names_is_not_refused(lab: RandomLab) -> None:
    refusal = lab.plan().refusal
    hint = (refusal.hint if refusal else None) or ""
    for command in COMMAND.findall(hint):
        event(command.split()[0])
        followed = lab._replace(ask=command.strip()).plan().refusal
        assert followed is None, (hint, followed)
