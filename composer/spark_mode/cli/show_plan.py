"""A plan as the dry run shows it: the steps with their causes, what is kept, the budget in a line, and warnings."""

from spark_mode.cli.context import CliOptions
from spark_mode.cli.tables import columns
from spark_mode.lab.size import gb_text
from spark_mode.planning.digest import digest_of
from spark_mode.planning.plan import Plan
from spark_mode.planning.step_words import rows_said
from spark_mode.switching.admitted import refuse
from spark_mode.switching.agreement import Agreement
from spark_mode.switching.report import SwitchOptions


def show_plan(cli_options: CliOptions, plan: Plan, expect: str | None = None) -> None:
    """Print a plan. Raises what the switch would, after the plan: its refusal, or that it is not the one with this digest."""
    if plan.refusal is None or cli_options.is_json:
        cli_options.screen({**plan.as_json(), "digest": digest_of(plan)}, lambda width: plan_text(plan, width))
    elif not cli_options.quiet:
        cli_options.name_lab()
    if plan.refusal:
        raise refuse(plan.refusal)
    Agreement(SwitchOptions(expect=expect), None, ()).require_expected(plan)


def plan_text(plan: Plan, width: int | None = None) -> str:
    """Return the plan for people."""
    steps = columns(rows_said(plan.steps, plan.projects), right=(0,), width=width) if plan.steps else str(plan)
    lines = [steps, ""]
    if plan.keep:
        lines.append(f"kept: {', '.join(plan.keep)}")
    lines.append(budget_line(plan))
    lines += [f"note: {warning}" for warning in plan.warnings]
    if plan.steps and not plan.request.startswith("run "):  # which does not keep the words of the command
        lines.append(f"  → to do it: spark-mode {plan.request}")
    return "\n".join(lines)


def budget_line(plan: Plan) -> str:
    """Return the budget in a line: the sum, and the judgement."""
    reckoned = plan.budget
    parts = " + ".join(f"{one.label} {one.footprint.planned / 10**9:g}" for one in reckoned.workloads)
    total, remaining = gb_text(reckoned.total), gb_text(reckoned.remaining)
    parts = f"{parts} + overhead" if parts else "overhead"
    judged = f"{reckoned.memory}, compute {reckoned.compute}"
    return f"budget: {parts} {reckoned.overhead / 10**9:g} = {total}; {remaining} remain: {judged}"
