"""Looking for mistakes before they cost a switch: in the rules, the Compose files, the engine and the machine."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from composer.errors import EngineUnavailable
from composer.planning.advice import SHORT_GRACE
from composer.planning.observed import Observed
from composer.switching.session import Session

RESURRECTING = ("always",)


class Finding(BaseModel):
    """Something to mend (`error`), to know (`warning`), or that is fine (`ok`)."""

    model_config = ConfigDict(frozen=True)

    level: Literal["error", "warning", "ok"]
    where: str
    message: str
    fix: str | None = None


def check(session: Session, compose_version: str) -> list[Finding]:
    """Return all findings. The files were read without error when the session was opened."""
    rules, project = session.rules, session.project
    found = [
        Finding(level="ok", where="rules", message=f"{len(rules.workloads)} workloads, {len(rules.rules)} rules"),
        Finding(level="ok", where="compose", message=f"project {project.name}, {len(project.services)} services"),
        *_modes(session),
        *_services(session),
        *_compose(compose_version),
    ]
    try:
        observed = session.observe()
    except EngineUnavailable as error:
        return [*found, Finding(level="error", where="engine", message=error.message, fix=error.hint)]
    return [*found, *_engine(session, observed), *_machine(session, observed)]


def _modes(session: Session) -> Iterator[Finding]:
    for name, mode in session.rules.modes.items():
        for profile in mode.profiles:
            if profile not in session.project.profiles:
                message = f"the profile {profile} is not in the Compose files"
                yield Finding(level="error", where=f"rules: modes/{name}", message=message, fix="correct one of the two")
    for name, workload in session.rules.workloads.items():
        service = session.rules.service_of(workload)
        if service not in session.project.services:
            message = f"its service {service} is not in the Compose files"
            yield Finding(level="warning", where=f"rules: workloads/{name}", message=message, fix="correct one of the two")


def _services(session: Session) -> Iterator[Finding]:
    rules = session.rules
    for name, service in session.project.services.items():
        where, workload = f"compose: {name}", rules.of_service(name)
        if workload is None and rules.host_of_service(name) is None and rules.default_footprint is None:
            fix = "describe it under workloads in rules.yaml"
            yield Finding(level="error", where=where, message="no workload describes it: a switch refuses it", fix=fix)
        if service.restart in RESURRECTING:
            message = f"restart: {service.restart} starts it again with the engine, beside whatever runs"
            yield Finding(level="warning", where=where, message=message, fix="restart: unless-stopped")
        if workload and workload.class_ == "training" and service.stop_grace_seconds < SHORT_GRACE:
            message = f"{service.stop_grace_seconds:g} s to write a checkpoint before it is killed"
            yield Finding(level="warning", where=where, message=message, fix="stop_grace_period: 5m")
        if service.healthcheck is None and not (workload and workload.class_ == "training"):
            message = "no health check: it counts as ready once it keeps running"
            yield Finding(level="warning", where=where, message=message, fix="give it a healthcheck")


def _compose(version: str) -> Iterator[Finding]:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers <= (2, 40, 2):
        message = f"version {version} has CVE-2025-62725"
        yield Finding(level="warning", where="compose", message=message, fix="update to 2.40.3 or later")
    else:
        yield Finding(level="ok", where="compose", message=f"version {version}")


def _engine(session: Session, observed: Observed) -> Iterator[Finding]:
    yield Finding(level="ok", where="engine", message=f"version {session.identity().version}")
    needing = [name for name, service in session.project.services.items() if service.reserves_gpu]
    if needing and not observed.gpu_runtime:
        fix = "install the NVIDIA Container Toolkit, then: nvidia-ctk runtime configure --runtime=docker"
        message = f"no NVIDIA runtime, and these reserve a GPU: {', '.join(needing)}"
        yield Finding(level="error", where="engine", message=message, fix=fix)
    for container in observed.containers:
        service = session.project.services.get(container.service or "")
        if service and not container.one_off and container.stop_seconds != service.stop_grace_seconds:
            message = f"keeps {container.stop_seconds} s of grace; the file now says {service.stop_grace_seconds:g} s"
            fix = f"spark-mode stop {service.name}; it is created anew with its next start"
            yield Finding(level="warning", where=f"container {container.name}", message=message, fix=fix)


def _machine(session: Session, observed: Observed) -> Iterator[Finding]:
    if observed.memory.available is None:
        fix = "a switch needs --force here"
        yield Finding(level="error", where="machine", message="MemAvailable is unknown", fix=fix)
    where = session.directories
    if where.shared:
        yield Finding(level="ok", where="locks", message=f"shared by all users, in {where.locks}")
    else:
        message = f"only your own switches exclude each other: the lock is in {where.locks}"
        fix = "for all users: sudo install -d -o root -g docker -m 2770 /run/spark-mode /var/lib/spark-mode"
        yield Finding(level="warning", where="locks", message=message, fix=fix)
