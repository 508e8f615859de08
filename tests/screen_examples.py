"""The screens as people see them, from the code that draws them, for terminals of three widths: `make documents`.

What is shown is fixed here, the time of day too; a test holds tests/screens to what comes out.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from documents.spark import terminal
from spark_mode.cli.ending import addresses, summary
from spark_mode.cli.matrix import matrix_text
from spark_mode.cli.show_budget import budget_text
from spark_mode.cli.show_calibration import calibration_text
from spark_mode.cli.show_check import check_text
from spark_mode.cli.show_history import history_text
from spark_mode.cli.show_map import map_text
from spark_mode.cli.show_plan import plan_text
from spark_mode.cli.show_status import status_text
from spark_mode.cli.step_rows import StepRows
from spark_mode.cli.tables import within
from spark_mode.journal.measurements import Footprints
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.size import GB
from spark_mode.planning.budget import Budget, budget
from spark_mode.planning.named_workload import find_workload
from spark_mode.planning.observed import Memory, MemoryUser, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan
from spark_mode.planning.rollback import rollback
from spark_mode.planning.together import modes_together
from spark_mode.reporting.finding import Finding
from spark_mode.reporting.gpu_load import GpuLoad
from spark_mode.reporting.history import Event
from spark_mode.reporting.local_time import local_times
from spark_mode.reporting.resources import Addition, Item, Resources, sharing
from spark_mode.reporting.status_model import ModeChange, ModelStatus, ServiceStatus, Status
from spark_mode.switching.report import Report
from tests.audio_lab import CAPACITY, RULES, container, request, resolved, seen
from tests.fleet_screens import FLEET
from tests.set_up_screens import SET_UP, UNBROKEN

FOLDER = Path(__file__).parent / "screens"
WIDTHS = (60, 80, 120)
NOW = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)
PORTS = {"omni": 8091, "chatterbox": 8004, "xtts": 5002, "qwen": 8880, "f5": 7860}
LAB = "lab     /home/ann/spark-mode/compose (project audio-lab)"


def _published() -> Project:
    found = resolved()
    for name, port in PORTS.items():
        found["services"][name]["ports"] = [{"published": str(port), "host_ip": "127.0.0.1", "protocol": "tcp"}]
    return read_project(found, {name: f"hash of {name}" for name in found["services"]})


PROJECT = _published()
AUDIO = seen("chatterbox", "whisper", "ollama", models=("llama3.1:8b",), available=96 * GB)


def _planned(line: str, observed: Observed = AUDIO) -> Plan:
    return plan(request(line), PROJECT, RULES, observed, CAPACITY)


def _plan(width: int) -> str:
    return plan_text(_planned("training"), width)


def _plan_of_a_model(width: int) -> str:
    loaded = seen("ollama", "whisper", models=("coder32b",), available=45 * GB)
    return plan_text(_planned("up f5 --with devstral", loaded), width)


def _switch(width: int) -> str:
    """Draw what a switch leaves on the terminal."""
    made = _planned("audio omni", seen("training", available=100 * GB))
    rows = StepRows(made.steps)
    took = [0.4, 41.2, 0.0, 63.5, 0.0]
    done = [
        rows.ended("✓", number, step, seconds, width)
        for number, (step, seconds) in enumerate(zip(made.steps, took, strict=True), 1)
    ]
    report = Report(
        request="audio omni", outcome="applied", mode="audio omni", seconds=105.4, target=made.target, kept=made.keep or ()
    )
    return "\n".join([*done, summary(report), *addresses(report, PROJECT)])


def _failed_switch(width: int) -> str:
    """Draw what a switch leaves on the terminal that fails, and brings back what ran before."""
    before = seen("chatterbox", "whisper", available=90 * GB)
    made = _planned("audio xtts", before)
    rows = StepRows(made.steps)
    last = next(number for number, step in enumerate(made.steps, 1) if step.action == "start" and step.subject == "xtts")
    lines = [rows.ended("✓", number, step, 0.8, width) for number, step in enumerate(made.steps[: last - 1], 1)]
    reason = "xtts did not start: it crashed and restarts (exit code 1)"
    lines += [rows.ended("✗", last, made.steps[last - 1], 3.1, width, reason), "the way back:"]
    now = seen("whisper", "ollama", available=90 * GB)
    stopped = (container("chatterbox/exited"), container("xtts/exited"))
    now = now.model_copy(update={"containers": (*now.containers, *stopped)})
    back = rollback(made.steps[:last], PROJECT, RULES, before, now).steps
    ways = StepRows(back)
    lines += [ways.ended("✓", number, step, 1.2, width) for number, step in enumerate(back, 1)]
    message = f"spark-mode: {reason}\n  last state: restarting, exit code 1, restarted 2 times\n  log: no such model: xtts_v3\n"
    return "\n".join([*lines, f"{message}What ran before runs again: chatterbox."])


def _refusal(_: int) -> str:
    refused = _planned("up omni training").refusal
    assert refused
    return f"spark-mode: {refused.message}" + (f"\n  → {refused.hint}" if refused.hint else "")


def _service(name: str, age: float, **more: object) -> ServiceStatus:
    workload = RULES.of_service(name)
    fields: dict[str, object] = {
        "service": name,
        "class_": workload.class_ if workload else "host",
        "state": "running",
        "health": "healthy",
        "age": age,
        "planned": workload.footprint.planned if workload else None,
        "address": PROJECT.services[name].address,
    }
    return ServiceStatus.model_validate(fields | more)


def _status_of(**more: object) -> Status:
    fields: dict[str, object] = {
        "mode": "audio chatterbox",
        "since": None,
        "services": (
            _service("chatterbox", 11460, measured=41 * GB // 10, grown=0),
            _service("ollama", 11460),
            _service("whisper", 180_000, measured=3 * GB, grown=GB // 5),
        ),
        "models": (
            ModelStatus(name="llama3.1:8b", host="ollama", expected=True, loaded=True, planned=5 * GB, size=53 * GB // 10),
        ),
        "memory": Memory(total=1197 * GB // 10, available=962 * GB // 10),
        "declared": 12 * GB,
        "capacity": CAPACITY,
        "violations": (),
        "foreign": (),
        "others": {},
        "memory_users": (),
        "utilisation": None,
        "gpu": GpuLoad(utilisation=38, celsius=54, watts=31.5, megahertz=2405),
        "notes": (),
        "changes": (
            *(ModeChange(request=f"audio {name}", stops=("chatterbox",)) for name in ("xtts", "qwen", "f5")),
            *(ModeChange(request=name, stops=("whisper", "chatterbox", "ollama")) for name in ("audio omni", "training")),
        ),
    }
    return Status.model_validate(fields | more)


def _status(width: int) -> str:
    others = {"paperless": ("paperless-web-1", "paperless-db-1"), "": ("registry",)}
    return status_text(_status_of(others=others, disarmed=("omni (unless-stopped)", "xtts (unless-stopped)")), width)


def _status_when_things_are_wrong(width: int) -> str:
    because = "training runs alone: it saturates the SMs and inference stalls"
    wrong = _status_of(
        mode="custom",
        services=(
            _service("omni", 34, health="unhealthy", measured=8 * GB, grown=3 * GB),
            _service("training", 95, health="none", measured=12 * GB, grown=0),
        ),
        models=(),
        held=("ann holds training since 2026-11-28T14:28:25+00:00",),
        violations=(f"omni and training exclude each other ({because})",),
        remedies=("to keep omni: spark-mode stop training; to keep training: spark-mode stop omni",),
        interrupted="audio omni, by ben at 2026-11-28T14:29:01+00:00, was cut off during: stop training",
        notes=("omni holds 3.0 GB more than when it settled: look for a leak, or plan it larger",),
        disarmed=("ollama (unless-stopped)",),
        unlasting={"ollama": "docker update --restart unless-stopped audio-lab-ollama-1"},
        memory_users=(MemoryUser(name="python3 notebook.py (process 4711)", owner="ben", size=21 * GB),),
        changes=(),
    )
    return status_text(wrong, width)


def _history(width: int) -> str:
    def event(at: str, asked: str, outcome: str, seconds: float | None, note: str | None = None, by: str = "ann") -> Event:
        return Event(at=f"2026-{at}+00:00", request=asked, by=by, outcome=outcome, seconds=seconds, note=note)

    events = [
        event("03-01T08:02:11", "up llama3.1:8b", "applied", 4.2),
        event("11-27T22:15:40", "training", "applied", 48.9, "and then restore"),
        event("11-28T04:13:16", "restore", "applied", 61.0, "by itself, as a training or a command has ended", "root"),
        event("11-28T04:13:44", "up omni training", "refused", 0.3, "omni and training exclude each other"),
        event("11-28T13:01:05", "audio xtts", "rolled-back", 14.4, "xtts did not start: it crashed and restarts (exit code 1)"),
        event("11-28T13:20:00", "training", "interrupted", 2.1, "interrupted", "ben"),
        event("11-28T14:29:01", "audio omni", "interrupted", None, "cut off during stop training; spark-mode recover", "ben"),
    ]
    return history_text(events, width, NOW)


def _footprints(name: str, declared: float, size: float, starts: int) -> Footprints:
    declared_size, taken = round(declared * GB), round(size * GB)
    counted = {"count": starts, "disturbed": int(starts == 1), "agreeing": starts}
    sizes = {"median": taken, "low": taken, "high": taken + 10**7 * (starts - 1), "peak": taken + 10**8 * (starts - 1)}
    times = {"since": "2026-11-27T09:00:00+00:00" if starts > 1 else "2026-11-28T09:00:00+00:00"}
    times["until"] = "2026-11-28T09:00:00+00:00"
    return Footprints.model_validate({"workload": name, "declared": declared_size, **counted, **sizes, **times})


def _calibrate(width: int) -> str:
    measured = [_footprints("omni", 8, 8.31, 4), _footprints("whisper", 3, 4.12, 3), _footprints("training", 12, 11.7, 1)]
    return calibration_text(measured, width)


def _matrix(width: int) -> str:
    sets = [
        (one.name, one.wish, budget([find_workload(RULES, name) for name in one.workloads], RULES, CAPACITY))
        for one in RULES.sets
    ]
    return matrix_text(sets, list(modes_together(RULES, PROJECT, CAPACITY)), width)


def _budget(width: int) -> str:
    return budget_text(_budget_of("training:large", "omni", "devstral", "coder32b"), RULES, width)


def _budget_of(*names: str) -> Budget:
    return budget([find_workload(RULES, name) for name in names], RULES, CAPACITY)


def _map(width: int) -> str:
    card = Resources(
        machine=RULES.hardware.name,
        capacity=CAPACITY,
        memory=Memory(total=1197 * GB // 10, available=962 * GB // 10),
        system=RULES.overhead.system,
        per_class=RULES.overhead.per_class,
        headroom=RULES.limits.headroom,
        mode="audio omni",
        running=(Item(name="omni", planned=8 * GB),),
        overhead=4 * GB,
        addable=(
            Addition(name="whisper", planned=3 * GB, stops=(), verdict="fits-easily"),
            Addition(name="devstral", planned=48 * GB, stops=(), verdict="fits"),
            Addition(name="f5", planned=3 * GB, stops=("omni",), verdict="fits-easily"),
        ),
        sharing=tuple(sharing(RULES)),
        facts=RULES.hardware.facts,
    )
    return map_text(card, width)


def _check(width: int) -> str:
    found = [
        Finding(level="ok", where="rules", message="12 workloads, 5 rules"),
        Finding(level="ok", where="compose", message="project audio-lab, 7 services"),
        Finding(
            level="warning",
            where="rules: workloads/whisper",
            message="3.0 GB are declared, and it took 4.1 GB (median of 3 starts)",
            fix="spark-mode calibrate",
        ),
        Finding(
            level="error",
            where="driver",
            message="version 575.57; a DGX Spark should have 580 or later",
            fix="update DGX OS in the DGX Dashboard, and reboot",
        ),
        Finding(level="info", where="rules: limits", message="assumed: headroom 20GB, floor 10GB"),
        _optional("gate", "plain `docker compose up` does not ask the rules", "spark-mode gate install"),
        _optional("guard", "what others start is only seen by `status`", "sudo spark-mode guard install"),
    ]
    return check_text(found, width)


def _optional(where: str, message: str, fix: str) -> Finding:
    return Finding(level="optional", where=where, message=message, fix=fix)


DRAWN: dict[str, tuple[str, Callable[[int], str]]] = {
    "plan": ("plan training", _plan),
    "plan-of-a-model": ("plan up f5 --with devstral", _plan_of_a_model),
    "switch": ("audio omni", _switch),
    "switch-that-fails": ("audio xtts", _failed_switch),
    "refusal": ("up omni training", _refusal),
    "status": ("status", _status),
    "status-when-things-are-wrong": ("status", _status_when_things_are_wrong),
    "history": ("history", _history),
    "check": ("check", _check),
    "calibrate": ("calibrate", _calibrate),
    "matrix": ("matrix", _matrix),
    "budget": ("budget training:large omni devstral coder32b", _budget),
    "map": ("map", _map),
}
"""What is typed for each screen, and what draws it from what is fixed here."""
TYPED: dict[str, tuple[tuple[str, ...], str]] = {
    "help": ((), "--help"),
    "help-of-a-command": ((), "plan --help"),
    "help-of-a-word": ((), "help headroom"),
    "help-of-completion": ((), "completion --help"),
    "help-of-fleet": ((), "fleet --help"),
    "help-of-hold": ((), "hold --help"),
    "help-of-several": ((), "-H all --help"),
    "help-of-gate": ((), "gate --help"),
    "help-of-guard": ((), "guard --help"),
    "help-of-init": ((), "init --help"),
    "help-of-lab": ((), "lab --help"),
    "help-of-rules": ((), "rules --help"),
    "help-of-setup": ((), "setup --help"),
    "to": ((), "to training"),
    "status-of-nothing": ((), "status"),
    "up-without-a-terminal": (("audio omni",), "up whisper"),
    "restore-without-a-terminal": (("audio omni", "training"), "restore"),
    "stop-without-a-terminal": (("audio xtts",), "stop"),
    "held": (("training --hold",), "audio omni"),
    "release": (("training --hold",), "release"),
    "recover": (("audio omni", "the next one is killed at 7", "training"), "recover"),
    "run": (("audio omni",), "run --as training -- true"),
    "mistake": ((), "omni"),
    "no-engine": (("Docker stops",), "status"),
}
"""What is typed for each screen at a simulated Spark, and what has happened there before."""
SCREENS = (*DRAWN, *SET_UP, *FLEET, *TYPED)


@cache
def screen(name: str, width: int) -> str:
    """Return a screen under the command that shows it, as a terminal of this width has it."""
    if name in TYPED:
        before, line = TYPED[name]
        with terminal(width) as spark:
            for one in before:
                spark.happens(one)
            return f"$ spark-mode {line}\n{spark.type(f'spark-mode {line}').rstrip()}\n"
    typed, draw = (DRAWN | SET_UP | FLEET)[name]
    lab = [] if name in SET_UP | FLEET else [within(LAB, width)]
    text = local_times(draw(width), NOW)
    return "\n".join([f"$ spark-mode {typed}", *lab, text if name in UNBROKEN else within(text, width), ""])


def path_of(name: str, width: int) -> Path:
    """Return where a screen is kept."""
    return FOLDER / f"{name}.{width}.txt"


def draw_anew() -> None:
    """Write all of them."""
    for former in FOLDER.glob("*.txt"):
        former.unlink()
    for name in SCREENS:
        for width in WIDTHS:
            path_of(name, width).write_text(screen(name, width))
