"""A step as people say it. What it is called in JSON, in the journal and in `str(plan)` is for programs, and stays as it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from spark_mode.lab.few import agreeing
from spark_mode.planning.plan import Create, Step, Stop, Verify

ACTIONS = {"await-release": "wait", "verify": "check", "drop-caches": "drop", "start-container": "start"}
SUBJECTS = {"await-release": "for memory", "drop-caches": "page cache"}


def action_said(step: Step) -> str:
    """Return what a step does, in a verb."""
    return ACTIONS.get(step.action, step.action)


def subject_said(step: Step, projects: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return what it does that to; of services of several Compose projects with those that their names do not tell."""
    return SUBJECTS.get(step.action) or step.shown_in(projects)


def doing(step: Step) -> str:
    """Return a step in a few words: `wait for memory`, `stop omni`."""
    return f"{action_said(step)} {SUBJECTS.get(step.action, step.subject)}"


def rows_said(
    steps: Iterable[Step], projects: Mapping[str, str] = MappingProxyType({}), first: int = 1
) -> list[tuple[str, str, str, str]]:
    """Return number, action, subject and cause of each step; what was said of a rule before is not said again."""
    causes = _told_once(steps)
    return [
        (str(number), action_said(step), subject_said(step, projects), cause)
        for number, (step, cause) in enumerate(causes, first)
    ]


def _told_once(steps: Iterable[Step]) -> Iterator[tuple[Step, str]]:
    """Yield each step with its cause; of several stops by one rule the first one alone has all of the rule's reason."""
    told = set[str]()
    for step in steps:
        said = cause_said(step)
        begins, _, reason = said.partition(": ")
        yield step, begins if isinstance(step, Stop) and reason in told else said
        if isinstance(step, Stop) and reason:
            told.add(reason)


def cause_said(step: Step) -> str:
    """Return why, or for what is only made or looked at, what comes of it."""
    match step:
        case Create():
            made = "only the container" if len(step.services) == 1 else "only the containers"
            return step.cause.replace("requested", f"{made}; nothing starts yet", 1)
        case Verify():
            return f"that {_listed([*_state(step), *_absent(step)])}"
        case _:
            return step.cause


def _state(step: Verify) -> Iterator[str]:
    if step.completed:
        yield f"{', '.join(step.completed)} ended well"
    if step.unhealthy:
        yield f"{', '.join(step.unhealthy)} {agreeing(step.unhealthy, 'is', 'are')} unhealthy as before"
    if rest := len(step.services) - len(step.completed) - len(step.unhealthy):
        them = "the rest" if rest < len(step.services) else "it" if rest == 1 else "all"
        yield f"{them} {'is' if rest == 1 or them == 'the rest' else 'are'} healthy"


def _absent(step: Verify) -> Iterator[str]:
    if step.apart:
        yield f"nothing of {' or '.join(step.apart)} runs"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else "all is as asked for"
