"""What others may start: judged by the planner itself, so that there is no second opinion."""

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.mode import services_of
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Refusal
from spark_mode.planning.planner import plan
from spark_mode.planning.request import UpRequest, mode_requests


def start_refusal(service: str, project: Project, rules: Rules, observed: Observed, capacity: int) -> Refusal | None:
    """Return why a service must not be started by others beside what is active; None when it may.

    A start that may go ahead is one for which the planner would stop and unload nothing. The hint is the command that
    does it. Raises ConfigurationError for a service that rules.yaml cannot place.
    """
    workload = rules.of_service(service)
    request = UpRequest(extra=(workload.name,)) if workload else UpRequest(names=(service,))
    found = plan(request, project, rules, observed, capacity)
    if found.refusal:
        hint = f"see what would fit: spark-mode plan up {workload.name if workload else service}"
        return found.refusal.model_copy(update={"hint": hint}) if found.refusal.memory else found.refusal
    if not (going := _going(found)):
        return None
    subject, cause = going
    hint = f"to have it instead: {the_command(service, project, rules)}, which stops {subject}"
    return Refusal(message=f"{service} does not start beside {subject}: {cause}", hint=hint)


def the_command(service: str, project: Project, rules: Rules) -> str:
    """Return what to type instead of starting a service with Compose: its mode, where one alone has it."""
    workload = rules.of_service(service)
    modes = [
        request
        for profile, request in mode_requests(rules)
        if workload and rules.modes[request.mode].class_ == workload.class_
        if service in services_of(rules.modes[request.mode], profile, project)
    ]
    return f"spark-mode {modes[0] if len(modes) == 1 else f'up {workload.name if workload else service}'}"


def _going(found: Plan) -> tuple[str, str] | None:
    return next(((step.subject, step.cause) for step in found.steps if step.action in ("stop", "unload")), None)
