"""The door to Slurm: its own programs, as somebody types them, and what they print as JSON."""

import re
import subprocess
from collections.abc import Sequence
from typing import Any, Protocol

from spark_mode.errors import ConfigurationError, EngineUnavailable, Refused, UsageFault
from spark_mode.fleet.said import as_number, as_object, as_text, read_json
from spark_mode.fleet.slurm_config import hosts_of
from spark_mode.frozen import Frozen

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"
"""How a machine may be called."""
SECONDS = 30.0
"""How long Slurm may take to answer; its own programs try again and again where the controller is away."""
AWAY = ("Unable to contact slurm controller", "Connection refused", "timed out", "Zero Bytes", "Communication connection failure")
"""What its programs say when the controller does not answer."""
LONGEST_SAID = 300
"""Characters of what its programs say that are shown."""
WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
BEGUN = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
"""The states of a job that waits, and of one that is on machines."""


class QueuedJob(Frozen):
    """A job as Slurm has it; `start` in seconds since the epoch, 0 while it waits."""

    id: str
    name: str
    comment: str
    user: str
    partition: str
    state: str
    reason: str
    start: int
    nodes: tuple[str, ...]

    @property
    def has_ended(self) -> bool:
        """Whether it neither waits nor is on machines."""
        return self.state not in {*WAITING, *BEGUN}


class QueueNode(Frozen):
    """A machine as Slurm has it; `reason` is why it is down or drained."""

    name: str
    states: tuple[str, ...]
    reason: str

    @property
    def is_given_work(self) -> bool:
        """Whether Slurm begins jobs there."""
        return not {"DOWN", "DRAIN", "DRAINED", "NOT_RESPONDING", "FAIL", "MAINTENANCE"} & {*self.states}

    @property
    def has_to_be_resumed(self) -> bool:
        """Whether somebody has to say that it is given work again; one that only does not answer now is when it does."""
        return bool({"DOWN", "DRAIN", "DRAINED", "FAIL"} & {*self.states})


class Slurm(Protocol):
    """What is asked of Slurm. Each raises EngineUnavailable where the controller is away, ConfigurationError without it."""

    def submit(self, script: str, words: Sequence[str]) -> str:
        """Queue a script, and return its number. Raises Refused with what Slurm says."""

    def jobs(self, all_states: bool = False) -> tuple[QueuedJob, ...]:
        """Return the jobs that wait or run; with `all_states` those that have ended lately, too."""

    def nodes(self) -> tuple[QueueNode, ...]:
        """Return the machines."""

    def cancel(self, job: str) -> None:
        """End a job. Raises Refused."""

    def resume(self, node: str) -> None:
        """Have a machine given work again. Raises Refused."""

    def configuration(self) -> tuple[str, str, str]:
        """Return what it says of its configuration, machines and partitions, as text."""


class SlurmPrograms:
    """Slurm as it is installed here."""

    def submit(self, script: str, words: Sequence[str]) -> str:
        """See `Slurm`. With several clusters sbatch prints the cluster's name behind the number."""
        said = _run(["sbatch", "--parsable", *words], script).strip()
        number = said.partition(";")[0]
        if not re.fullmatch(r"\d{1,19}", number, re.ASCII):
            message = f'sbatch says no number of a job, but "{said[:LONGEST_SAID]}"'
            raise EngineUnavailable(message, "see whether it is queued: spark-mode fleet status")
        return number

    def jobs(self, all_states: bool = False) -> tuple[QueuedJob, ...]:
        found = jobs_of(_run(["squeue", "--json", *(["--states=all"] if all_states else [])]))
        return found if all_states else tuple(one for one in found if not one.has_ended)  # 23.11 always lists all

    def nodes(self) -> tuple[QueueNode, ...]:
        return nodes_of(_run(["scontrol", "show", "node", "--json"]))

    def cancel(self, job: str) -> None:
        _run(["scancel", "--", job])

    def resume(self, node: str) -> None:
        _run(["scontrol", "update", f"nodename={node}", "state=resume"])

    def configuration(self) -> tuple[str, str, str]:
        kinds = (["config"], ["node", "--oneliner"], ["partition", "--oneliner"])
        config, nodes, partitions = (_run(["scontrol", "show", *one]) for one in kinds)
        return config, nodes, partitions


def jobs_of(text: str) -> tuple[QueuedJob, ...]:
    """Return the jobs of `squeue --json`, of 23.11 and later."""
    return tuple(
        QueuedJob(
            id=str(one["job_id"]),
            name=as_text(one.get("name")),
            comment=as_text(one.get("comment")),
            user=as_text(one.get("user_name")),
            partition=as_text(one.get("partition")),
            state=_states(one.get("job_state"))[0],
            reason=as_text(one.get("state_reason")),
            start=_number(one.get("start_time")),
            nodes=tuple(hosts_of(as_text(one.get("nodes")))),
        )
        for one in _listed(text, "jobs", "job_id", r"\d+")
    )


def nodes_of(text: str) -> tuple[QueueNode, ...]:
    """Return the machines of `scontrol show node --json`, of 23.11 and later."""
    return tuple(
        QueueNode(name=one["name"], states=_states(one.get("state")), reason=as_text(one.get("reason")))
        for one in _listed(text, "nodes", "name", NAME)
    )


def _listed(text: str, what: str, key: str, form: str) -> list[dict[str, Any]]:
    """Return what a program has listed, each with a key of this form. Raises EngineUnavailable for an answer that is none."""
    found = as_object(read_json(text)).get(what)
    if isinstance(found, list):
        listed = [as_object(one) for one in found]
        if all(re.fullmatch(form, _text_of(one.get(key)), re.ASCII) for one in listed):
            return listed
    raise EngineUnavailable(f"Slurm lists no {what} as JSON", "it is of 23.11 or later, with its JSON plugin? sinfo --version")


def _text_of(said: Any) -> str:
    return "" if said is None else str(said)


def _states(said: Any) -> tuple[str, ...]:
    return tuple(map(str, said)) if isinstance(said, list) and said else (str(said or "UNKNOWN"),)


def _number(said: Any) -> int:
    return int(as_number(said.get("number") if isinstance(said, dict) else said) or 0)


def _run(words: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(words, check=False, input=text, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except OSError as error:
        message = f"there is no Slurm here: {words[0]}: {error.strerror}"
        raise ConfigurationError(message, "ask on a machine of the cluster, or install the package slurm-client") from None
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(
            f"{words[0]} did not answer within {SECONDS:g} s", "does the controller run? scontrol ping"
        ) from None
    said = done.stderr.strip()
    if done.returncode == 0 and not (said and not done.stdout.strip()):
        return done.stdout
    last = said.splitlines()[-1][:LONGEST_SAID] if said else f"{words[0]} exited with {done.returncode}"
    if any(one in said for one in AWAY):
        raise EngineUnavailable(f"Slurm's controller does not answer: {last}", "does it run? scontrol ping")
    if "Invalid job id" in said:
        raise UsageFault(f"Slurm knows no such job: {last}", "see which there are: spark-mode fleet status")
    if done.returncode == 0 and words[0] == "scancel":
        return done.stdout  # it only warns
    raise Refused(f"Slurm refuses it: {last}", _hint(said))


def _hint(said: str) -> str:
    if "Invalid user id" in said or "Access/permission denied" in said:
        return "as root, or as the user of Slurm: sudo spark-mode fleet …"
    return "is its configuration that of the rules? spark-mode fleet check"
