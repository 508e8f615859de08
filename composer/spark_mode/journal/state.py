"""What the last switch left: its request, its mode and what ran before it. Docker is the truth; this is the intent."""

from collections.abc import Iterable

from pydantic import Field

from spark_mode.frozen import Frozen
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.container import LEASED
from spark_mode.planning.mode import current_mode, mode_services
from spark_mode.planning.observed import Endings, Observed
from spark_mode.planning.plan import Plan, Run, Stop
from spark_mode.wall_time import now


class Before(Frozen):
    """What ran before a switch, enough to ask for it again; what was added `beside` it since stays where it may.

    `projects` are the Compose projects of its services, where the lab has several.
    """

    mode: str
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    beside: tuple[str, ...] = ()
    projects: dict[str, str] = Field(default_factory=dict)


class State(Frozen):
    """The last request that succeeded, its mode and since when (ISO 8601, UTC), what ran before it, and how containers ended.

    `of_command` says that it made room for a plain command.
    """

    request: str | None = None
    mode: str | None = None
    since: str | None = None
    models: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    before: Before | None = None
    of_command: bool = False
    endings: Endings = Endings()


def before_of(observed: Observed, project: Project, rules: Rules) -> Before:
    """Return what runs now as what ran before; services in an explicit variant, so that it comes back in the same.

    What the files do not have belongs to it: they may have it again when it is to come back. So does what of its mode
    came to its end: its container may be gone by then, because another one has its name.
    """
    ran = (one for one in observed.active if one.state != LEASED)
    active = [one for one in ran if one.service and not one.one_off]
    sized = {one.service: rules.of_service(one.service) for one in active if one.service}
    mode = current_mode(observed, project, rules)
    of_mode = mode_services(mode, project, rules)
    ended = [one for one in observed.containers if one.id in observed.endings.completed and one.service in of_mode]
    return Before(
        mode=mode,
        services=tuple(sorted({one.service for one in (*active, *ended) if one.service})),
        models=observed.models,
        variants={
            one.service: variant
            for one in active
            if one.service and (workload := sized[one.service]) and (variant := one.variant or workload.default_variant)
        },
        projects={one.service: one.project for one in (*active, *ended) if one.service and one.project},
    )


def with_more(before: Before, services: Iterable[str]) -> Before:
    """Return what ran before with more services, which would have run."""
    return before.model_copy(update={"services": tuple(dict.fromkeys([*before.services, *services]))})


def still_to_come(former: Before, plan: Plan) -> Before:
    """Return what comes back after a training beside which a plan was carried out: without what that stopped by name.

    What it was asked to add stays.
    """
    gone = {*plan.stopped_by_name}
    services, models = ([name for name in names if name not in gone] for names in (former.services, former.models))
    added = (name for name in (*former.beside, *plan.target, *plan.target_models) if name not in gone)
    beside = dict.fromkeys(name for name in added if name not in services and name not in models)
    projects = {**former.projects, **{name: plan.projects[name] for name in beside if name in plan.projects}}
    update = {"services": tuple(services), "models": tuple(models), "beside": tuple(beside), "projects": projects}
    return former.model_copy(update=update)


def after(state: State, plan: Plan, before: Before, mode: str, touched: bool, seen: Observed) -> State:
    """Return the state after a switch that `touched` something or not; a mode that was on already keeps its time.

    `seen` is what is there now, with what the switch saw end by itself.
    """
    same = state.mode == mode and before.mode == mode
    stops = (id_ for step in plan.steps if isinstance(step, Stop) for id_ in step.containers)
    return State(
        request=plan.request,
        mode=mode,
        since=state.since if same else now(),
        models=plan.models,
        variants=plan.variants,
        before=before if touched else state.before,
        of_command=any(isinstance(step, Run) for step in plan.steps) if touched else state.of_command,
        endings=seen.with_ended(stopped=stops).endings,
    )
