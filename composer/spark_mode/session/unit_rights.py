"""Whether systemd lets this user do what a plan has it do: asked before anything is stopped."""

from collections.abc import Callable

from spark_mode.engine.doors import Units
from spark_mode.lab.project import Project
from spark_mode.planning.plan import Plan, Refusal, Start, Stop


def way_out(unit: str) -> str:
    """Return what to do about a unit that cannot be started or stopped."""
    return f"see it: systemctl status {unit}; or, where systemd does not run it, leave out its unit: in rules.yaml"


def permitted(plan: Plan, project: Project, units: Callable[[], Units], is_stop: bool) -> Plan:
    """Return a plan, refused where this user cannot have a unit started or stopped; a stop does what it can, and says so.

    `units` is called for a plan that has to do with one.
    """
    for step in plan.steps:
        if not isinstance(step, Start | Stop):
            continue
        service = project.services.get(step.service or "")
        if service and service.unit and (fault := units().fault(service.unit, step.action)):
            if is_stop:
                return plan.warned(fault)
            refusal = Refusal(message=fault, hint=way_out(service.unit), kind="configuration")
            return plan.model_copy(update={"refusal": refusal, "steps": ()})
    return plan
