"""Why something is not started beside what runs though no rule of rules.yaml says so: Docker itself would refuse it."""

from spark_mode.lab.by_nature import is_by_nature
from spark_mode.planning.conflicts import conflicts, member
from spark_mode.planning.naming import why_never_again
from spark_mode.planning.plan import Refusal
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.target import members


def nature_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal to add to what runs what Docker itself runs only in its place; for a mode it is stopped.

    Where a rule of rules.yaml keeps the two apart as well, that one says what is done.
    """
    if problem.request.verb != "up":
        return None
    wanted = members(problem.target, problem.rules)
    for name in (one.name for one in problem.stopped):
        other = member(problem.rules, name)
        met = [conflict for conflict in conflicts(problem.rules, wanted, [other]) if conflict.concerns(other)]
        if met and all(is_by_nature(conflict.rule.name) for conflict in met):
            return Refusal(message=f"{problem.request}: {met[0]}", hint=f"stop it first: spark-mode stop {name}")
    return None


def name_refusal(problem: PlanningProblem) -> Refusal | None:
    """What runs and stays keeps its name, and so does what no way back could make again."""
    for name, holder in problem.name_holders.items():
        if holder.active and holder.service not in problem.gone_services:
            message = f'{name} is to be named "{holder.name}", and the container of {holder.service} has that name and runs'
            return Refusal(message=message, hint=f"stop it first: spark-mode stop {holder.service}")
        if fault := why_never_again(holder.service or "", problem.project):
            which = f'{name} is to be named "{holder.name}", and the container of {holder.service} has that name'
            stop = f"spark-mode stop {holder.service}, and then " if holder.active else ""
            return Refusal(
                message=f"{which}; {holder.service} could not be made again: {fault}",
                hint=f"correct that; or, if it may go: {stop}docker rm {holder.name}",
                kind="configuration",
            )
    return None
