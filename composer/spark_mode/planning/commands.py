"""A plain command as a workload: what it counts as, how it is called, and what it does not run beside."""

from collections.abc import Sequence

from spark_mode.errors import UsageFault
from spark_mode.lab.rules import Rules
from spark_mode.planning.plan import Refusal
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.request import RunRequest

WORDS, LONGEST = 3, 60
"""How many words of a command are shown, and how many characters."""
UNKNOWN = "rules.yaml has no workload that runs to its end, for the command to count as"


def run_request(words: Sequence[str], name: str | None, size: int | None, rules: Rules) -> RunRequest:
    """Return the request to run a command as a workload, or with so many bytes as the one that runs to its end.

    Raises UsageFault where nothing says what it counts as.
    """
    if name is None and size is None:
        raise UsageFault("what is the command to count as?", "--as WORKLOAD, or how much it takes: --footprint 30GB")
    return RunRequest(name=name or _the_long_run(rules), size=size, title=title(words))


def _the_long_run(rules: Rules) -> str:
    names = [one.name for one in rules.workloads.values() if rules.runs_to_end(one) and not one.model]
    if not names and (commands := [one.name for one in rules.workloads.values() if one.command]):
        raise UsageFault(UNKNOWN, f"name the one that it is: --as {' or --as '.join(commands)}")
    if not names:
        line = "workloads: training: {class: training, footprint: 30GB, runs_to_end: true, command: true}"
        raise UsageFault(UNKNOWN, f"give it one: {line}")
    if len(names) > 1:
        message = f"rules.yaml has {len(names)} workloads that run to their end, so the command counts as which?"
        raise UsageFault(message, f"--as {' or --as '.join(names)}")
    return names[0]


def title(words: Sequence[str]) -> str:
    """Return a command for people: its program and what follows, up to the first option or assignment, which may hold secrets."""
    shown = [words[0].rpartition("/")[2]]
    for word in words[1:WORDS]:
        if word.startswith("-") or "=" in word or any(character.isspace() for character in word):
            break
        shown.append(word)
    text = " ".join(shown)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def running_refusal(problem: PlanningProblem) -> Refusal | None:
    """Return the refusal of a command as a workload that runs already: one of each, as of containers."""
    command, rules = problem.target.command, problem.rules
    service = rules.workloads[command.name].service if command else None
    if command is None or service not in problem.observed.active_services:
        return None
    message = f"{command.name} runs already, as the service {service}"
    return Refusal(message=message, hint=f"stop it first: spark-mode stop {command.name}")
