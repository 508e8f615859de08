"""What a request is to have active, and what of that which is to come back it would stop at once: nothing starts for nothing."""

from collections.abc import Iterable

from spark_mode.lab.by_nature import with_nature
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.conflicts import conflict_with, member
from spark_mode.planning.request import Request, in_lab_names
from spark_mode.planning.resolve import resolve
from spark_mode.planning.target import Target, leave_out_excluded, members


def meant_by(request: Request, project: Project, rules: Rules) -> tuple[str, ...]:
    """Return the services and models that a request is to have active, with all that they need. Raises as `plan` does."""
    target = _target(request, project, with_nature(rules, project))
    return (*target.services, *target.models)


def replaced_by(request: Request, names: Iterable[str], project: Project, rules: Rules) -> tuple[str, ...]:
    """Return which of these services a mode, or `up`, has no place for: by a rule, or as another one of the mode's class.

    Raises as `plan` does for names that the lab does not have.
    """
    if request.verb not in ("to", "up"):
        return ()
    rules = with_nature(rules, project)
    target = _target(request, project, rules)
    wanted = members(target, rules)

    def has_no_place(name: str) -> bool:
        if name in target.services:
            return False
        workload = rules.of_service(name)
        is_other = workload is not None and workload.class_ in (target.scope or ())
        return is_other or conflict_with(rules, member(rules, name), wanted) is not None

    return tuple(name for name in names if any(map(has_no_place, project.closure([name]))))


def _target(request: Request, project: Project, rules: Rules) -> Target:
    return leave_out_excluded(resolve(in_lab_names(request, project), project, rules), project, rules)
