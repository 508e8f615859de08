"""What `check` says of the shipped lab, and in which order people read what it found."""

from pathlib import Path

from spark_mode.cli.show_check import check_text
from spark_mode.reporting.check import check
from spark_mode.reporting.finding import Finding, Level
from tests.audio_lab import CAPACITY, PROJECT, ROOT, RULES
from tests.simulation.lab import SimulatedSession
from tests.simulation.machine import SimulatedMachine


def test_the_shipped_lab_has_no_warnings_of_its_own(tmp_path: Path) -> None:
    session = SimulatedSession(SimulatedMachine(PROJECT, RULES, CAPACITY), tmp_path)
    session.files = session.files._replace(compose=(str(ROOT / "compose/audio-lab.yaml"),), rules=str(ROOT / "rules.yaml"))
    found = check(session, "2.40.3", {"services": {}})
    assert [one for one in found if one.level in ("error", "warning") and one.where.startswith(("rules", "compose"))] == []
    assert {"engine", "machine"} <= {one.where for one in found}, "all of it was looked at"


def finding(level: Level) -> Finding:
    return Finding(level=level, where=f"place of {level}", message="what is there")


def test_errors_are_read_first_and_a_count_last() -> None:
    levels: tuple[Level, ...] = ("ok", "info", "warning", "error", "ok", "warning")
    lines = check_text([finding(level) for level in levels]).splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["ERROR", "warning", "warning", "info", "ok", "ok"]
    assert lines[-1] == "1 error, 2 warnings"


def test_what_could_be_had_is_no_warning_and_has_its_command_in_one_block() -> None:
    gate = finding("optional").model_copy(update={"where": "gate", "fix": "spark-mode gate install"})
    guard = gate.model_copy(update={"where": "guard", "fix": "spark-mode guard"})
    assert check_text([finding("ok"), gate, guard]).splitlines()[1:] == [
        "optional, and not in place:",
        "  gate   what is there  → spark-mode gate install",
        "  guard  what is there  → spark-mode guard",
        "no errors, no warnings",
    ]


def test_where_nothing_is_wrong_the_count_says_so() -> None:
    assert check_text([finding("ok"), finding("info")]).splitlines()[-1] == "no errors, no warnings"
