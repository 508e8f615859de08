"""What the last switch wanted: one small file a lab, replaced as a whole. Docker is the truth; this is the intent."""

import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from composer.errors import ConfigurationError
from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.mode import current_mode
from composer.planning.observed import Observed
from composer.planning.plan import Plan

MAXIMUM_BYTES = 256 * 1024


class Before(BaseModel):
    """What ran before a switch, enough to ask for it again."""

    model_config = ConfigDict(frozen=True)

    mode: str
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: dict[str, str] = {}


class State(BaseModel):
    """The last request that succeeded, its mode and since when (ISO 8601, UTC), and what ran before it."""

    model_config = ConfigDict(frozen=True)

    request: str | None = None
    mode: str | None = None
    since: str | None = None
    models: tuple[str, ...] = ()
    variants: dict[str, str] = {}
    before: Before | None = None


def before_of(observed: Observed, project: Project, rules: Rules) -> Before:
    """Return what runs now as what ran before; services in an explicit variant, so that it comes back in the same."""
    active = [one for one in observed.active if one.service in project.services and not one.one_off]
    sized = {one.service: rules.of_service(one.service) for one in active if one.service}
    return Before(
        mode=current_mode(observed, project, rules),
        services=tuple(sorted({one.service for one in active if one.service})),
        models=observed.models,
        variants={
            one.service: variant
            for one in active
            if one.service and (workload := sized[one.service]) and (variant := one.variant or workload.default_variant)
        },
    )


def after(state: State, plan: Plan, before: Before, mode: str) -> State:
    """Return the state after a switch; a mode that was on already keeps its time."""
    same = state.mode == mode and before.mode == mode
    return State(
        request=plan.request,
        mode=mode,
        since=state.since if same else now(),
        models=plan.models,
        variants=plan.variants,
        before=before if plan.steps else state.before,
    )


def now() -> str:
    """Return the wall time for people, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_since(moment: str) -> float | None:
    """Return the seconds since an ISO 8601 time of the engine, None for a time that is not one."""
    try:
        then = datetime.fromisoformat(moment[:19] + "+00:00")
    except ValueError:
        return None
    return max(0.0, (datetime.now(UTC) - then).total_seconds()) if then.year > 1 else None


def read_state(path: Path) -> State:
    """Return what is known; what cannot be read is unknown, because Docker is the truth."""
    try:
        return State.model_validate_json(path.read_bytes()[:MAXIMUM_BYTES])
    except (OSError, ValidationError):
        return State()


def write_state(path: Path, state: State) -> None:
    """Replace the file as a whole, so that a power cut leaves the old or the new one. Raises ConfigurationError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
        with os.fdopen(descriptor, "w") as file:
            file.write(state.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; the switch is done, its record is not") from None
