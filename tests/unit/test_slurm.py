"""The door to Slurm, with answers that 23.11 and 24.11 gave; and what follows where Slurm and a machine differ."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spark_mode.errors import ConfigurationError, EngineUnavailable, Refused, SwitchFailed, UsageFault
from spark_mode.fleet.beside_slurm import differences, left_behind
from spark_mode.fleet.here import HereToo
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.queueing import options_of, require_known, script_of
from spark_mode.fleet.slurm import QueuedJob, QueueNode, SlurmPrograms, jobs_of, nodes_of
from spark_mode.fleet.ssh import Answer

HERE = Path(__file__).parent / "slurm"
Says = Callable[..., None]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Have a program of Slurm's say something; what it was given is kept beside it."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def says(name: str, out: str = "", error: str = "", code: int = 0) -> None:
        (tmp_path / f"{name}.out").write_text(out)
        (tmp_path / f"{name}.error").write_text(error)
        program = tmp_path / name
        kept = f'printf "%s\\n" "$@" > {program}.words; cat > {program}.in'
        program.write_text(f"#!/bin/sh\n{kept}\ncat {program}.out\ncat {program}.error >&2\nexit {code}\n")
        program.chmod(0o755)

    return says


@pytest.mark.parametrize("version", ["23.11", "24.11"])
def test_the_jobs_of_both_releases_are_read(version: str) -> None:
    first, second = jobs_of((HERE / f"squeue-{version}.json").read_text())
    assert (first.id, first.name, first.user, first.comment) == ("7", "spark-mode:training", "ann", "spark-mode:abc")
    assert (first.state, first.start, first.nodes) == ("RUNNING", 1795855777, ("spark1",))
    assert (second.id, second.state, second.reason, second.start, second.nodes) == ("8", "PENDING", "Resources", 0, ())


def test_the_machines_are_read() -> None:
    (node,) = nodes_of((HERE / "nodes-24.11.json").read_text())
    assert node == QueueNode(name="spark1", states=("MIXED",), reason="")
    assert node.is_given_work
    drained = QueueNode(name="spark1", states=("IDLE", "DRAIN"), reason="epilog")
    assert (drained.is_given_work, drained.has_to_be_resumed) == (False, True)
    silent = QueueNode(name="spark1", states=("IDLE", "NOT_RESPONDING"), reason="")
    assert (silent.is_given_work, silent.has_to_be_resumed) == (False, False)


def test_a_job_is_queued_with_its_script_and_its_number_read(says: Says, tmp_path: Path) -> None:
    says("sbatch", "42;sparks\n")
    words = options_of("training", ("--partition=training",), 2, "41", "spark-mode abc", "/home/ann")
    assert SlurmPrograms().submit(script_of(["training"], "/srv/my lab", 2), words) == "42"
    assert (tmp_path / "sbatch.words").read_text().split("\n")[:-1] == [
        *("--parsable", "--job-name=training", "--comment=spark-mode abc", "--chdir=/home/ann"),
        *("--partition=training", "--nodes=2", "--dependency=afterany:41"),
    ]
    assert (tmp_path / "sbatch.in").read_text().splitlines()[2] == (
        "exec srun --ntasks-per-node=1 --kill-on-bad-exit=1 spark-mode -C '/srv/my lab' hold training --job \"$SLURM_JOB_ID\""
    )
    assert script_of(["audio", "omni"], "/srv/lab", 1).splitlines()[2] == (
        'exec spark-mode -C /srv/lab hold audio omni --job "$SLURM_JOB_ID"'
    )


@pytest.mark.parametrize(
    ("said", "fault", "message"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", Refused, "Invalid partition name"),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller", EngineUnavailable, "does not answer"),
        ("slurm_load_jobs error: Invalid job id specified", UsageFault, "knows no such job"),
    ],
)
def test_what_slurm_refuses_is_said_in_its_words(says: Says, said: str, fault: type[Exception], message: str) -> None:
    says("sbatch", "", f"{said}\n", 1)
    with pytest.raises(fault, match=message):
        SlurmPrograms().submit("", ())


def test_only_root_resumes(says: Says) -> None:
    says("scontrol", "", "slurm_update error: Invalid user id\n", 1)
    with pytest.raises(Refused) as refused:
        SlurmPrograms().resume("spark1")
    assert refused.value.hint == "as root, or as the user of Slurm: sudo spark-mode fleet …"


def test_without_slurm_it_is_said_where_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="there is no Slurm here: squeue: No such file"):
        SlurmPrograms().jobs()


def test_an_answer_that_is_no_json_is_said_to_be_none(says: Says) -> None:
    says("squeue", "JOBID PARTITION\n")
    with pytest.raises(EngineUnavailable, match="Slurm lists no jobs as JSON"):
        SlurmPrograms().jobs()


def test_what_has_ended_is_no_job_that_waits_or_runs_though_23_11_lists_it(says: Says) -> None:
    says("squeue", (HERE / "squeue-23.11.json").read_text().replace('"RUNNING"', '"CANCELLED"'))
    assert [one.id for one in SlurmPrograms().jobs()] == ["8"]
    assert [one.id for one in SlurmPrograms().jobs(all_states=True)] == ["7", "8"]


def job(id: str = "5", state: str = "RUNNING", start: int = 100, **more: Any) -> QueuedJob:
    fields = {"name": "training", "comment": "spark-mode abc", "user": "ann", "partition": "training", "reason": "None"}
    return QueuedJob.model_validate({**fields, "id": id, "state": state, "start": start, "nodes": ("spark1",), **more})


class Forgets(SlurmPrograms):
    """A Slurm that knows these jobs."""

    def __init__(self, *known: QueuedJob) -> None:
        self._known = known

    def jobs(self, all_states: bool = False) -> tuple[QueuedJob, ...]:
        assert all_states, "one that has ended by then is not forgotten"
        return self._known


def test_a_job_that_slurm_has_forgotten_is_said_to_be() -> None:
    slept: list[float] = []
    assert require_known(Forgets(job(state="COMPLETED")), "5", "spark-mode abc", slept.append).state == "COMPLETED"
    assert slept == [10.0]
    for other in (Forgets(), Forgets(job(comment="spark-mode of another")), Forgets(job(id="6"))):
        with pytest.raises(SwitchFailed, match="Slurm has forgotten job 5"):
            require_known(other, "5", "spark-mode abc", slept.append)


NODE = QueueNode(name="spark1", states=("IDLE",), reason="")
HOLDS = {"mode": "training", "jobs": [{"job": "5:100", "request": "training", "by": "ann"}]}


def told(jobs: tuple[QueuedJob, ...], status: dict[str, Any] | None, node: QueueNode = NODE) -> list[str]:
    return [message for message, _ in differences(jobs, (node,), {"spark1": status})]


def test_where_both_say_the_same_nothing_is_told() -> None:
    assert told((job(),), HOLDS) == []
    assert told((), {"mode": "idle"}) == []
    assert told((job(state="PENDING", nodes=()),), {"mode": "idle"}) == []


def test_where_they_differ_it_is_told_and_the_machine_counts() -> None:
    held = "spark1: job 5 holds training there, and is not there for Slurm"
    assert told((), HOLDS) == [held]
    assert told((job(start=200),), HOLDS) == [held], "the number has come back"
    assert told((job(state="PENDING"),), HOLDS) == [held]
    assert told((job(),), {"mode": "idle"}) == ["spark1: job 5 runs there for Slurm, and holds nothing"]
    assert told((job(comment="of somebody"),), {"mode": "idle"}) == []
    assert told((), {"mode": "audio omni"}) == ["spark1: audio omni runs there, which no job has: Slurm thinks it free"]
    assert told((), {"mode": "audio omni"}, NODE.model_copy(update={"states": ("DOWN",)})) == []
    assert told((), None) == ["spark1: what runs there is unknown, whatever Slurm thinks"]
    assert told((), {"mode": "idle", "interrupted": "training, by ann, was cut off"}) == ["spark1: training, by ann, was cut off"]


def test_what_a_job_of_the_past_has_left_is_found() -> None:
    assert [one.id for one in left_behind("spark1", HOLDS, ())] == ["5"]
    assert left_behind("spark1", HOLDS, (job(),)) == ()


class Elsewhere:
    """The door to other machines."""

    def ask(self, node: Node, *words: Any) -> Answer:
        return Answer(0, f"asked {node.name}")


def test_this_machine_is_asked_without_ssh() -> None:
    door = HereToo(("spark1",), Elsewhere())
    here = door.ask(Node(name="spark1"), ("--version",), 60.0)
    assert (here.code, here.out.split(", ")[0]) == (0, "spark-mode")
    assert door.ask(Node(name="spark2"), ("--version",)).out == "asked spark2"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "null", "[" * 100_000, '{"jobs": null, "nodes": 5}', '{"jobs": [{}], "nodes": [{}]}'),
        *('{"jobs": [3], "nodes": [3]}', '{"jobs": [{"job_id": "-x"}], "nodes": [{"name": "-oProxyCommand=x"}]}'),
    ],
)
def test_what_lists_nothing_is_said_to_and_is_no_empty_queue(text: str) -> None:
    for read in (jobs_of, nodes_of):
        with pytest.raises(EngineUnavailable, match="as JSON"):
            read(text)


@pytest.mark.parametrize(
    "key", ["name", "comment", "user_name", "partition", "job_state", "state_reason", "start_time", "nodes", "state", "reason"]
)
def test_a_list_with_wrong_types_is_read_as_far_as_it_is_one(key: str) -> None:
    values: list[Any] = [None, 3, 10**400, "x", [], [1], {}, {"number": "x"}, {"number": None}]
    for value in values:
        assert [one.id for one in jobs_of(json.dumps({"jobs": [{"job_id": 1, key: value}]}))] == ["1"], value
        assert [one.name for one in nodes_of(json.dumps({"nodes": [{key: value, "name": "a"}]}))] == ["a"], value


@pytest.mark.parametrize("said", ["", "rubbish\n", "-oX\n", "job 42\n", "\u0664\n"])
def test_a_number_that_is_none_is_no_job(says: Says, said: str) -> None:
    says("sbatch", said)
    with pytest.raises(EngineUnavailable, match="no number of a job"):
        SlurmPrograms().submit("", ())


def test_a_program_that_cannot_be_run_is_named(says: Says, tmp_path: Path) -> None:
    says("squeue")
    (tmp_path / "squeue").write_bytes(b"\x00 no program")
    with pytest.raises(ConfigurationError, match="there is no Slurm here: squeue: Exec format error"):
        SlurmPrograms().jobs()


def test_of_what_slurm_says_at_length_the_beginning_is_said(says: Says) -> None:
    says("sbatch", "", "x" * 100_000, 1)
    with pytest.raises(Refused) as refused:
        SlurmPrograms().submit("", ())
    assert len(refused.value.message) < 400
