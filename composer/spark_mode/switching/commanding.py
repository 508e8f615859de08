"""Where a plan has a plain command: its process is there, waits, and counts; it begins once the switch has ended."""

import os

from spark_mode.errors import StepFailed
from spark_mode.planning.conflicts import foreign_member
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.plan import Run
from spark_mode.session.lab import Lab
from spark_mode.sharing.lock import user_name
from spark_mode.sharing.process import process_began
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.last_look import require_apart_in
from spark_mode.wall_time import now


def hold_machine(step: Run, lab: Lab, attempt: Attempt) -> None:
    """Have a command's process there, which waits, and count it. Raises StepFailed."""
    session = attempt.session
    require_apart_in(lab.observer.observe_running(), foreign_member(lab.rules, step.workload), lab.rules)
    if session.command is None:
        raise StepFailed(f"{step.subject} has nobody who runs it")
    pid = session.command.make()
    try:
        session.commands.add(_command(step, lab, pid))
    except BaseException:
        session.command.drop()  # or it would be in the way of what comes back
        raise


def _command(step: Run, lab: Lab, pid: int) -> Command:
    began = process_began(pid)
    if began is None:
        raise StepFailed(f"{step.subject} did not start: its process is gone")
    return Command(
        workload=step.workload,
        class_=step.class_,
        variant=step.variant,
        size=step.size,
        title=step.subject,
        project=lab.project.name,
        by=user_name(),
        since=now(),
        pid=pid,
        began=began,
        runner=os.getpid(),
        runner_began=process_began(os.getpid()) or 0,
    )
