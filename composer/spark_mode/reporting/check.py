"""Looking for mistakes before they cost a switch: in the rules, the Compose files, the engine and the machine."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spark_mode.engine.env_files import named_in
from spark_mode.engine.machine_facts import read_machine_facts
from spark_mode.engine.versions import numbers
from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.journal.measurements import footprints, read_measurements
from spark_mode.journal.understanding import UNDERSTOOD
from spark_mode.lab.by_nature import is_by_nature
from spark_mode.lab.few import counted
from spark_mode.lab.files import LabFiles
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import rule_about
from spark_mode.lab.service import SCOPE
from spark_mode.lab.size import gb_text
from spark_mode.lab.suggestion import or_elsewhere
from spark_mode.lab.unsaid_long_run import SAY_IT, UNSAID, unsaid_long_run
from spark_mode.lab.workload import COMMAND
from spark_mode.planning.advice import SHORT_GRACE
from spark_mode.planning.conflicts import member
from spark_mode.planning.observed import Observed
from spark_mode.planning.target import RENAME_IT, ambiguous_names, fault_of_replicas, name_clash
from spark_mode.reporting.finding import Finding
from spark_mode.reporting.health_checks import unchecked, without_own_check
from spark_mode.reporting.machine_check import look
from spark_mode.reporting.models_check import hosts, uncounted
from spark_mode.reporting.promises import promises
from spark_mode.reporting.undescribed import undescribed
from spark_mode.session.foreign_workloads import hidden_from_others
from spark_mode.session.rules_file import assumed_of_file
from spark_mode.session.session import Session
from spark_mode.session.set_lab import labs_within, second_lab
from spark_mode.session.unit_rights import way_out
from spark_mode.sharing.directories import SET_UP

RESURRECTING = ("always",)


def check(session: Session, compose_version: str, model: Mapping[str, Any] | None = None) -> list[Finding]:
    """Return all findings. The files were read without error when the session was opened.

    `model` is Compose's own of the files, for whoever has asked for it already.
    """
    rules, project = session.rules, session.project
    written = sum(not is_by_nature(one.name) for one in rules.rules)
    services = sum(one.of_compose for one in project.services.values())
    found = [
        Finding(
            level="ok",
            where="rules",
            message=f"{counted(len(rules.workloads), 'workload')}, {counted(written, 'rule')}",
        ),
        Finding(
            level="ok",
            where="compose",
            message=f"project{'s' * bool(project.parts)} {', '.join(project.names)}, {counted(services, 'service')}",
        ),
        *_second(session),
        *_assumed(session),
        *(finding for files in session.files.each for finding in _variables(files)),
        *_names(session),
        *_unusable(session),
        *_modes(session),
        *undescribed(session.project, rules),
        *_services(session),
        *_only_outside(session),
        *_uncertain(session),
        *promises(session, model),
        *hosts(rules, project, session.capacity),
        *uncounted(project, rules),
        *_compose(compose_version),
    ]
    try:
        observed = session.observe()
    except EngineUnavailable as error:
        said = Finding(level="error", where="engine", message=error.message, fix=error.hint)
        return [*found, *unchecked(project, rules), said]
    except ConfigurationError as error:
        return [*found, Finding(level="error", where="journal", message=error.message, fix=error.hint)]
    if cut_off := session.cut_off:
        found.append(Finding(level="error", where="journal", message=str(cut_off), fix="spark-mode recover"))
    if puzzle := session.journal_state.puzzle:
        found.append(Finding(level="error", where="journal", message=puzzle, fix=UNDERSTOOD))
    return [
        *found,
        *_unchecked(session),
        *_engine(session, observed),
        *_absent(session, observed),
        *_units(session, observed),
        *_hidden(session),
        *_machine(session, observed),
        *_measured(session),
    ]


def _second(session: Session) -> Iterator[Finding]:
    """Look for rules beside those of the lab that is set, over the same projects."""
    if said := second_lab(session.files, os.environ):
        yield Finding(level="warning", where="rules", message=said, fix=f"move {session.files.rules} away, or set the lab anew")
    for said in labs_within(session.files):
        fix = "move that away; in its folder this lab is used where it is set for everywhere: spark-mode lab DIR"
        yield Finding(level="warning", where="rules", message=said, fix=fix)


def _assumed(session: Session) -> Iterator[Finding]:
    """Tell what the rules file leaves out, and what holds in its place."""
    if unsaid_long_run(session.rules):
        yield Finding(level="warning", where="rules: classes/training", message=UNSAID, fix=SAY_IT)
    for section, words in assumed_of_file(session.files.rules, session.rules, session.project):
        yield Finding(level="info", where=f"rules: {section}", message=f"assumed: {words}")


def _variables(files: LabFiles) -> Iterator[Finding]:
    """Look for variables of ours where Compose reads its own: for us they have no effect there."""
    folder = Path(files.project_directory or Path(files.compose[0]).parent)
    for file in files.env_files or (str(folder / ".env"),):
        if names := [name for name in named_in(Path(file), "SPARK_MODE_") if name not in os.environ]:
            message = f"{', '.join(names)} has no effect in this file: SPARK_MODE_RULES counts only as an exported variable"
            yield Finding(level="warning", where=file, message=message, fix="export SPARK_MODE_RULES=FILE, or --rules FILE")


def _names(session: Session) -> Iterator[Finding]:
    """Look for a service and a workload that are two things with one name, and for names that several services have."""
    if clash := name_clash(session.project, session.rules):
        yield Finding(level="error", where="rules: workloads", message=clash, fix=RENAME_IT)
    for where, fault in ambiguous_names(session.project, session.rules):
        yield Finding(level="error", where=f"rules: {where}", message=fault.message, fix=fault.fix)


def _unusable(session: Session) -> Iterator[Finding]:
    """Say which profiles Compose cannot resolve; nothing of them is started until it can."""
    for part in session.project.parts:
        if fault := part.unusable.get(""):
            fix = "correct that; the other projects can be used"
            yield Finding(level="error", where=f"compose: project {part.name}", message=f"cannot be used: {fault}", fix=fix)
    nothing = session.project.unusable.get("")
    for profile, fault in {"": nothing}.items() if nothing else session.project.unusable.items():
        fix = "correct that; what does not need it can be used"
        if profile:
            yield Finding(level="warning", where=f"compose: profile {profile}", message=f"cannot be used: {fault}", fix=fix)
        else:
            yield Finding(level="error", where="compose", message=f"nothing can be started: {fault}", fix="correct that")


def _modes(session: Session) -> Iterator[Finding]:
    for name, mode in session.rules.modes.items():
        for profile in mode.profiles:
            if profile not in session.project.profiles and not session.project.unread:
                message = f"the profile {profile} is not in the Compose files"
                fix = f"correct one of the two{or_elsewhere(profile, session.project.profiles)}"
                yield Finding(level="error", where=f"rules: modes/{name}", message=message, fix=fix)
    for name, workload in session.rules.workloads.items():
        if runs_in := session.rules.service_of(workload):
            other = f"; or, where it is a plain command: {COMMAND}" if workload.service else ""
            yield from _no_service(session, runs_in, f"rules: workloads/{name}", other)


def _no_service(session: Session, service: str, where: str, other: str) -> Iterator[Finding]:
    """Say that there is no such service; where a project cannot be read that may have it, that one is told alone."""
    if service not in session.project.services and not session.project.namesakes(service) and not session.project.unread:
        message = f"its service {service} is not in the Compose files"
        fix = f"correct one of the two{other}{or_elsewhere(service, session.project.services)}"
        yield Finding(level="warning", where=where, message=message, fix=fix)


def _services(session: Session) -> Iterator[Finding]:
    rules = session.rules
    for name, service in session.project.services.items():
        if not service.startable or session.project.fault_of(name):
            continue
        where, workload = f"compose: {name}", rules.of_service(name)
        if fault := fault_of_replicas(service):
            yield Finding(level="error", where=where, message=fault.message, fix=fault.fix)
        if service.restart in RESURRECTING and _is_excluded(name, rules):
            message = f"restart: {service.restart} starts it again with the engine, beside whatever runs"
            yield Finding(level="warning", where=where, message=message, fix="restart: unless-stopped")
        if rules.runs_to_end(workload) and service.stop_grace_seconds < SHORT_GRACE:
            message = f"{service.stop_grace_seconds:g} s to write a checkpoint before it is killed"
            yield Finding(level="warning", where=where, message=message, fix="stop_grace_period: 5m")


def _is_excluded(service: str, rules: Rules) -> bool:
    """Whether a rule keeps a service apart from anything."""
    return any(rule_about(label, rules) for label in member(rules, service).labels)


def _unchecked(session: Session) -> Iterator[Finding]:
    """Say which services have no health check, once the engine has told which images have one, where it does."""
    images = dict.fromkeys(one.image for one in without_own_check(session.project, session.rules) if one.image)
    try:
        checked = session.docker.checked_images(tuple(images))
    except EngineUnavailable:
        checked = frozenset()
    yield from unchecked(session.project, session.rules, checked)


def _only_outside(session: Session) -> Iterator[Finding]:
    """Say what is never started, and whether it is seen at all."""
    for name, workload in session.rules.workloads.items():
        where = f"rules: workloads/{name}"
        if workload.command:
            message = f"is what spark-mode run --as {name} runs: while that goes on it counts, and keeps out what a rule excludes"
            yield Finding(level="info", where=where, message=message)
        elif workload.only_outside and session.rules.scope == "project":
            message = "is known only outside the project, where nothing is looked at: it never counts"
            yield Finding(level="warning", where=where, message=message, fix="leave out scope: project")
        elif workload.only_outside:
            message = "is never started here; while a container of it runs it counts, and keeps out what a rule excludes"
            yield Finding(level="info", where=where, message=message)


def _uncertain(session: Session) -> Iterator[Finding]:
    """Tell what may take so much more than planned, as is written there, that a start with just the headroom free is aborted."""
    limits = session.rules.limits
    for name, workload in session.rules.workloads.items():
        planned, high = workload.footprint.planned, workload.footprint.high
        if high > planned + limits.headroom - limits.floor:
            message = f"is planned with {gb_text(planned)} and may take {gb_text(high)}: with little free its start is aborted"
            yield Finding(
                level="info",
                where=f"rules: workloads/{name}",
                message=message,
                fix="plan what it takes, which spark-mode calibrate tells",
            )


def _measured(session: Session) -> Iterator[Finding]:
    for one in footprints(read_measurements(session.measurements_path)):
        if one.is_far:
            message = f"{gb_text(one.declared)} are declared, and it took {gb_text(one.median)} (median of {one.count} starts)"
            yield Finding(level="warning", where=f"rules: workloads/{one.workload}", message=message, fix="spark-mode calibrate")


def _compose(version: str) -> Iterator[Finding]:
    if numbers(version)[:3] <= (2, 40, 2):
        message = f"version {version} has CVE-2025-62725"
        yield Finding(level="warning", where="compose", message=message, fix="update to 2.40.3 or later")
    else:
        yield Finding(level="ok", where="compose", message=f"version {version}")


def _engine(session: Session, observed: Observed) -> Iterator[Finding]:
    yield Finding(level="ok", where="engine", message=f"version {session.identity().version}")
    needing = [name for name, service in session.project.services.items() if service.needs_gpu_runtime]
    if needing and not observed.gpu_runtime:
        fix = "install the NVIDIA Container Toolkit, then: nvidia-ctk runtime configure --runtime=docker, and restart Docker"
        message = f"no NVIDIA runtime, and these reserve a GPU: {', '.join(needing)}"
        yield Finding(level="error", where="engine", message=message, fix=fix)
    for container in observed.containers:
        service = session.project.services.get(container.service or "")
        if service and not container.one_off and container.stop_seconds != service.stop_grace_seconds:
            message = f"keeps {container.stop_seconds} s of grace; the file now says {service.stop_grace_seconds:g} s"
            fix = f"spark-mode stop {service.name}; it is created anew with its next start"
            yield Finding(level="warning", where=f"container {container.name}", message=message, fix=fix)


def _units(session: Session, observed: Observed) -> Iterator[Finding]:
    """Look for units of hosts that could not be stopped and started again."""
    for name, host in session.rules.hosts.items():
        if host.unit is None:
            continue
        runs = name in observed.active_services
        if fault := session.units.fault(host.unit, "stop" if runs else "start"):
            yield Finding(level="error", where=f"rules: hosts/{name}", message=fault, fix=way_out(host.unit))


def _absent(session: Session, observed: Observed) -> Iterator[Finding]:
    """Look for hosts of models where nobody listens: daemons outside Docker, and services that run."""
    for name in observed.absent:
        message, fix = f"nobody listens at {session.rules.hosts[name].address}", "start it, or correct the address"
        if not session.rules.daemon(name):
            address = session.observer.address_of(name, observed)
            message = f"its service runs, and nobody listens at {address}: what it has loaded is not counted"
            fix = "correct its port, or have it listen there"
        yield Finding(level="warning", where=f"rules: hosts/{name}", message=message, fix=fix)


def _hidden(session: Session) -> Iterator[Finding]:
    if names := hidden_from_others(session.docker.others(""), session.rules, session.project):
        message = f"no other lab sees {', '.join(names)}: the label {SCOPE}: project says so, and the rules do not"
        fix = "take the label away and have them created anew; or, for a lab of its own, scope: project in rules.yaml"
        yield Finding(level="warning", where="scope", message=message, fix=fix)


def _machine(session: Session, observed: Observed) -> Iterator[Finding]:
    yield from look(read_machine_facts(), session.gpu.read(), observed.memory, session.capacity)
    if observed.memory.available is None:
        fix = "a switch needs --force here"
        yield Finding(level="error", where="machine", message="MemAvailable is unknown", fix=fix)
    where = session.directories
    if where.shared:
        yield Finding(level="ok", where="locks", message=f"shared by all users, in {where.locks}")
    else:
        message = f"only your own switches exclude each other: the lock is in {where.locks}"
        yield Finding(level="optional", where="locks", message=message, fix=SET_UP)
