"""What a plain command counts as, how it is called, and what is written of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.size import GB
from spark_mode.planning.commands import run_request, title
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.planner import plan
from spark_mode.session.foreign_workloads import commanded_workloads
from spark_mode.sharing.command_processes import VARIABLE, mark
from spark_mode.sharing.commands import Commands
from spark_mode.sharing.process import process_began
from tests.audio_lab import PROJECT, RULES, RULES_TEXT, rules_of, seen


def command(pid: int, workload: str = "training", class_: str = "training") -> Command:
    began = process_began(pid) or 0
    return Command(
        workload=workload,
        class_=class_,
        variant=None,
        size=30 * GB,
        title="python train.py",
        project="lab",
        by="ann",
        since="2026-11-27T10:00:00+00:00",
        pid=pid,
        began=began,
    )


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["python", "train.py"], "python train.py"),
        (["/usr/bin/python3", "train.py", "--token", "secret"], "python3 train.py"),
        (["env", "TOKEN=secret", "python", "train.py"], "env"),
        (["sh", "-c", "echo secret"], "sh"),
        (["make", "-j4", "train"], "make"),
        (["train", "several words"], "train"),
        (["x" * 200], f"{'x' * 59}…"),
    ],
)
def test_a_command_is_called_by_its_program_and_never_by_what_may_be_secret(words: list[str], shown: str) -> None:
    assert title(words) == shown


def test_a_size_alone_is_that_of_the_workload_that_runs_to_its_end() -> None:
    request = run_request(["train.py"], None, 30 * GB, RULES)
    assert str(request) == "run --as training --footprint 30GB -- train.py"
    assert str(run_request(["train.py"], "training:large", None, RULES)) == "run --as training:large -- train.py"


def test_what_a_command_counts_as_has_to_be_said() -> None:
    with pytest.raises(UsageFault, match="count as") as fault:
        run_request(["train.py"], None, None, RULES)
    assert fault.value.hint == "--as WORKLOAD, or how much it takes: --footprint 30GB"
    tuning = RULES.workloads["training"].model_copy(update={"name": "tuning", "service": "tuner"})
    two = RULES.model_copy(update={"workloads": {**RULES.workloads, "tuning": tuning}})
    with pytest.raises(UsageFault, match="2 workloads that run to their end") as fault:
        run_request(["train.py"], None, 30 * GB, two)
    assert fault.value.hint == "--as training or --as tuning"
    apart = {"class_": "t", "service": None, "runs_to_end": None}
    none = RULES.model_copy(update={"workloads": {"omni": RULES.workloads["omni"]}})
    plain = none.model_copy(update={"workloads": {"tune": tuning.model_copy(update={"name": "tune", "command": True, **apart})}})
    with pytest.raises(UsageFault, match="no workload that runs to its end") as fault:
        run_request(["train.py"], None, 30 * GB, plain)
    assert fault.value.hint == "name the one that it is: --as tune"
    with pytest.raises(UsageFault, match="no workload that runs to its end") as fault:
        run_request(["train.py"], None, 30 * GB, none)
    line = (fault.value.hint or "").removeprefix("give it one: ")
    assert line.startswith("workloads: training: {")
    rules = rules_of("workloads:\n  training: {" + line.partition("{")[2] + "\n")
    assert run_request(["train.py"], None, 30 * GB, rules).name == "training", "the line is one that may be written"


def test_a_lab_without_a_service_for_it_has_a_plain_command_as_a_workload() -> None:
    tuning = "  tuning: {class: training, footprint: 30GB, command: true}\n"
    rules = rules_of(RULES_TEXT.replace("workloads:\n", f"workloads:\n{tuning}", 1))
    request = run_request(["tune.py"], "tuning", None, rules)
    found = plan(request, PROJECT, rules, seen("omni"), rules.limits.tight)
    assert [(one.action, one.subject) for one in found.steps] == [("stop", "omni"), ("await-release", "-"), ("run", "tune.py")]


def test_where_the_rules_no_longer_have_its_workload_it_counts_as_one_of_its_class() -> None:
    named = [one.name for one in commanded_workloads([command(1), command(1, "gone"), command(1, "gone", "gone")], RULES)]
    assert named == ["training", "training"]


def test_what_is_written_counts_while_its_process_runs_and_holds_nobody_up_afterwards(tmp_path: Path) -> None:
    commands = Commands(tmp_path / "commands.json")
    assert commands.live() == ()
    with subprocess.Popen(["sleep", "60"], process_group=0) as process:
        ended = command(process.pid)
        commands.add(ended)
        assert commands.live() == (ended,)
        process.kill()
    assert commands.live() == ()
    commands.add(command(os.getpid()))
    assert str(ended.pid) not in (tmp_path / "commands.json").read_text()
    assert (tmp_path / "commands.json").stat().st_mode & 0o007 == 0


def test_what_is_left_of_it_apart_counts_with_the_command_that_ends_it(tmp_path: Path) -> None:
    commands = Commands(tmp_path / "commands.json")
    marked = {**os.environ, VARIABLE: mark(2**22 + 1, 0)}  # of one that has ended: no process has so high a number
    with subprocess.Popen(["sleep", "60"], start_new_session=True, env=marked) as left:
        commands.add(command(2**22 + 1))
        (one,) = commands.live()
        assert f"of which process {left.pid} is left" in str(one)
        assert next(iter(commanded_workloads([one], RULES))).how_to_stop == f"kill {left.pid}"
        commands.add(command(os.getpid()))
        assert '"left"' not in (tmp_path / "commands.json").read_text()
        left.kill()
    assert [one.pid for one in commands.live()] == [os.getpid()]


AS_ANOTHER_USER = """
import os, sys
from pathlib import Path
from spark_mode.sharing.commands import Commands
os.setuid(65534)
print(*(one.pid for one in Commands(Path(sys.argv[1])).live()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look as another user")
def test_another_user_who_cannot_see_what_is_left_of_it_has_it_count_while_its_run_waits() -> None:
    with TemporaryDirectory() as folder:
        path, mine = Path(folder) / "commands.json", process_began(os.getpid()) or 0
        Path(folder).chmod(0o755)
        waited_for = {"runner": os.getpid(), "runner_began": mine}
        for runner, shown in ((waited_for, f"{2**22 + 1}"), ({**waited_for, "runner_began": mine - 1}, "")):
            one = command(2**22 + 1).model_copy(update=runner)
            path.write_text(json.dumps([one.model_dump()]))
            path.chmod(0o644)
            looks = [sys.executable, "-c", AS_ANOTHER_USER, str(path)]
            assert subprocess.run(looks, capture_output=True, text=True, check=True).stdout.strip() == shown
            assert Commands(path).live() == (), "root sees that nothing is left"


@pytest.mark.parametrize("text", ["", "{}", '[{"pid": 1}]', "[" * 10_000])
def test_what_was_not_written_so_is_said_with_the_way_out(text: str, tmp_path: Path) -> None:
    path = tmp_path / "commands.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="is not what was written") as fault:
        Commands(path).live()
    assert "remove it" in (fault.value.hint or "")
