"""The screens of several machines, drawn by what draws them from what is fixed here."""

from collections.abc import Callable

from spark_mode.cli.show_fleet import row_of, rows_text, switch_text
from spark_mode.cli.show_queue import queue_text
from spark_mode.fleet.requesting import End
from spark_mode.fleet.slurm import QueuedJob, QueueNode

AUDIO = {
    "mode": "audio omni",
    "services": [{"service": "omni"}, {"service": "whisper"}],
    "memory": {"total_gb": 119.7, "available_gb": 96.2},
    "held": ["ann holds omni"],
}
TRAINING = {"mode": "training", "services": [{"service": "training"}], "memory": {"total_gb": 119.7, "available_gb": 101.0}}
FAILED = "xtts did not become healthy within 300 s"
TRAIN = QueuedJob(
    id="41",
    name="training",
    comment="spark-mode training",
    user="ann",
    partition="training",
    state="RUNNING",
    reason="None",
    start=0,
    nodes=("spark2",),
)


def _status(width: int) -> str:
    lost = "unknown: ssh: connect to host spark3 port 22: Connection timed out"
    rows = [row_of("spark1", AUDIO, ""), row_of("spark2", TRAINING, ""), row_of("spark3", None, lost)]
    return rows_text(rows, width)


def _switch(width: int) -> str:  # noqa: ARG001 - a sentence is broken by what shows it
    back = End(node="spark1", state="ended", code=1, outcome="went back", message="what ran before runs again")
    return switch_text("audio xtts", (back, End(node="spark2", state="ended", code=1, message=FAILED)), ("spark1", "spark2"))


def _lost(width: int) -> str:  # noqa: ARG001 - as above
    back = End(node="spark1", state="ended", code=1, outcome="went back", message="what ran before runs again")
    lost = End(node="spark2", state="lost", message="client_loop: send disconnect: Broken pipe")
    return switch_text("training", (back, lost), ("spark1", "spark2"))


def _queue(width: int) -> str:
    waits = TRAIN.model_copy(update={"id": "42", "user": "bo", "state": "PENDING", "reason": "Resources", "nodes": ()})
    nodes = [
        QueueNode(name="spark1", states=("IDLE",), reason=""),
        QueueNode(name="spark2", states=("ALLOCATED",), reason=""),
        QueueNode(name="spark3", states=("DOWN",), reason="Not responding"),
    ]
    jobs = [{"job": "41", "request": "training"}]
    said = ("spark1 runs audio omni, which no job has started", "leave it, or end it there: spark-mode stop")
    statuses = {"spark1": AUDIO, "spark2": TRAINING | {"jobs": jobs}, "spark3": None}
    return queue_text([TRAIN, waits], nodes, statuses, [said], width)


FLEET: dict[str, tuple[str, Callable[[int], str]]] = {
    "several-status": ("-H all status", _status),
    "several-of-which-one-fails": ("-H spark1,spark2 audio xtts", _switch),
    "several-of-which-one-is-lost": ("-H spark1,spark2 training", _lost),
    "queue": ("fleet status", _queue),
}
"""What is typed for each, and what draws it."""
