"""The trainer loses no step: not to a switch, not to a kill, and not to a full disk."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from typing import Any

import psutil
import pytest

from tests.deep import DEEP
from tests.engine.lab import DEADLINE, FILES, ROOT, Lab, docker, until
from tests.engine.workshop import IMAGE, OFFLINE, Running, Workshop, workshop

pytestmark = pytest.mark.xdist_group("trainer")  # whose tests share a workshop

SIGTERM_CAUGHT = 1 << (signal.SIGTERM - 1)
INTERRUPTIONS, KILLS = (20, 5) if DEEP else (1, 1)
QUICK, QUICKEST = "16x16", "1x1"
"""Sizes of which the one soon learns, and the other costs next to nothing, where it does not matter whether it has learned."""


class Trainer:
    """The trainer in the workshop, again and again, with the same folder of checkpoints."""

    def __init__(self, workshop: Workshop, name: str) -> None:
        self.workshop, self.name, self.folder = workshop, name, workshop.folder / name
        self.there = f"/trainers/{name}"
        self._running: Running | None = None
        self.folder.mkdir()

    def start(self, **environment: str) -> None:
        """Start it; `TRAINING_` is put before each setting."""
        settings = {f"TRAINING_{name}": value for name, value in environment.items()}
        self._running = self.workshop.start(self.name, **settings)

    @property
    def running(self) -> Running:
        assert self._running
        return self._running

    def end(self) -> tuple[int, str]:
        """Wait until it has ended; return its exit code and its log."""
        return self.running.end(), self.running.log()

    def run(self, **environment: str) -> tuple[int, str]:
        """Start it and wait until it has ended."""
        self.start(**environment)
        return self.end()

    def metrics(self) -> list[dict[str, Any]]:
        """Return its reports, without what depends on how quick the machine was."""
        return metrics((self.folder / "metrics.jsonl").read_text())

    def learned(self) -> str:
        """Return everything that the next step depends on, tensors as a digest."""
        saved = "torch.load('checkpoint.pt', weights_only=True)['training']"
        moments = "[value for one in s['agent']['optimiser']['state'].values() for value in one.values()]"
        networks = "*s['agent']['network'].values(), *s['agent']['target'].values()"
        parts = f"[{networks}, *{moments}, *s['replay']['ring'], *s['games'].values(), s['loss'], s['chance']]"
        digest = f"hashlib.sha256(b''.join(bytes(p.flatten().clone().view(torch.uint8).tolist()) for p in {parts})).hexdigest()"
        said = f"[(s['step'], s['device'], s['replay']['next'], {digest}) for s in [{saved}]]"
        return self.workshop.said(self.name, f"import hashlib; print({said})")


def metrics(text: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in json.loads(line).items() if key != "steps_per_second"} for line in text.splitlines()]


def hears_signals(init: psutil.Process) -> bool:
    """Whether the Python that an init process started has its handlers; the imports come after them."""
    return any(SIGTERM_CAUGHT & caught(one.pid) for one in init.children())


def caught(pid: int) -> int:
    """Return the signals that a process catches, as bits. (proc(5))"""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["SigCgt"], 16)


@pytest.fixture(scope="module")
def place() -> Iterator[Workshop]:
    with workshop(f"spark-mode-test-workshop-{os.getpid()}") as one:
        yield one


@pytest.fixture
def trainer(place: Workshop) -> Trainer:
    return Trainer(place, f"trainer-{place.number()}")


@pytest.fixture
def uninterrupted(place: Workshop) -> Trainer:
    """A training that nobody disturbs."""
    return Trainer(place, f"uninterrupted-{place.number()}")


@pytest.fixture
def container() -> Iterator[str]:
    """The name of a container of a test's own."""
    name = f"spark-mode-test-trainer-{os.getpid()}"
    yield name
    subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True, timeout=DEADLINE)


def test_a_training_that_switches_interrupt_learns_what_one_that_ran_through_learns(
    lab: Lab, trainer: Trainer, uninterrupted: Trainer
) -> None:
    instants = SystemRandom()
    lab.files = (*FILES, "compose/on-cpu.yaml", "tests/engine/asked_less.yaml")
    for number in range(INTERRUPTIONS + 1):
        lab.run("training", TRAINING_SIZE=QUICK)
        log = docker("logs", container := lab.id_of("training"))
        assert log.count("resumed from the checkpoint") == number, "what the run before left counted as a sign of health"
        if number < INTERRUPTIONS:
            time.sleep(instants.uniform(0, 0.5))
            lab.run("audio", "omni", TRAINING_SIZE=QUICK)
            assert [one["state"] for one in lab.containers() if one["service"] == "training"] == ["exited"]
    until(lambda: "step 100: " in docker("logs", container), pause=0.3)
    lab.run("stop", TRAINING_SIZE=QUICK)
    log = docker("logs", container)
    assert "all steps are done" not in log
    written = [line.split()[-1] for line in log.splitlines() if line.startswith("wrote the checkpoint")]
    resumed = [line.split()[-1] for line in log.splitlines() if line.startswith("resumed from the checkpoint")]
    assert resumed == written[:-1]
    assert len(resumed) == INTERRUPTIONS

    docker("cp", f"{container}:/checkpoints/.", str(trainer.folder))
    assert sorted(one.name for one in trainer.folder.iterdir()) == ["checkpoint.pt", "lock", "metrics.jsonl"]
    assert uninterrupted.run(STEPS=written[-1], SIZE=QUICK)[0] == 0
    assert trainer.metrics() == uninterrupted.metrics()
    assert [one["step"] for one in trainer.metrics()] == list(range(100, int(written[-1]) + 1, 100))
    assert trainer.learned() == uninterrupted.learned()


def test_a_training_that_is_killed_goes_on_from_its_last_checkpoint_as_if_nothing_had_been(
    trainer: Trainer, uninterrupted: Trainer
) -> None:
    instants = SystemRandom()
    for _ in range(KILLS):
        trainer.start(SIZE=QUICK, SECONDS="0")  # a checkpoint after each step: many a kill is in the middle of one
        until(lambda: "wrote the checkpoint" in trainer.running.log(), pause=0.1)
        time.sleep(instants.uniform(0, 0.7))
        trainer.running.kill()
    steps = re.findall(r"wrote the checkpoint at step (\d+)", trainer.running.log())
    end = str(100 * (int(steps[-1]) // 100 + 1))
    code, log = trainer.run(STEPS=end, SIZE=QUICK)
    assert code == 0
    assert "resumed from the checkpoint" in log
    assert uninterrupted.run(STEPS=end, SIZE=QUICK)[0] == 0
    assert trainer.metrics() == uninterrupted.metrics()
    assert trainer.learned() == uninterrupted.learned()


def test_the_image_of_the_real_lab_trains_as_a_user_who_is_not_root_and_a_stop_while_it_imports_pytorch_ends_with_a_checkpoint(
    container: str,
) -> None:
    tag, volume = f"{container}-image", f"{container}-volume"
    base = f"nvcr.io/nvidia/pytorch:25.11-py3=docker-image://{IMAGE}"
    try:
        docker("build", "--quiet", "--build-context", base, "--tag", tag, f"{ROOT}/compose/training")
        options = [*OFFLINE, "--init", "--env", "OMP_NUM_THREADS=1", "--env", "TRAINING_STEPS=20"]
        docker("run", "--detach", "--name", container, *options, "--volume", f"{volume}:/checkpoints", tag)
        init = psutil.Process(int(docker("inspect", "--format", "{{.State.Pid}}", container)))
        until(lambda: hears_signals(init), pause=0.001)
        assert [set(one.uids()) for one in init.children()] == [{1000}]
        docker("stop", "--time", "60", container)
        assert docker("wait", container).strip() == "0"
        done = [("wrote", 0)]
        if DEEP:
            docker("start", "--attach", container)  # the same container again, as a switch back starts it
            done += [("resumed from", 0), ("wrote", 20)]
        written = [line for line in docker("logs", container).splitlines() if "checkpoint" in line]
        assert written == [f"{did} the checkpoint at step {step}" for did, step in done]
    finally:
        docker("rm", "--force", container)
        docker("volume", "rm", "--force", volume)
        docker("image", "rm", "--force", tag)


def test_fewer_steps_than_were_done_are_done(trainer: Trainer) -> None:
    trainer.run(STEPS="20", SIZE=QUICKEST)
    code, log = trainer.run(STEPS="10", SIZE=QUICKEST)
    assert code == 0
    assert "stops at step 20: all steps are done" in log


def test_another_size_goes_on_with_what_was_learned(trainer: Trainer) -> None:
    trainer.run(STEPS="20", BATCH="small")
    code, log = trainer.run(STEPS="40", BATCH="large")
    assert code == 0
    assert "resumed from the checkpoint at step 20" in log
    assert "24 games at once" in log


def test_a_training_that_begins_anew_puts_the_reports_of_the_one_before_aside(trainer: Trainer) -> None:
    trainer.run(STEPS="100", SIZE=QUICKEST)
    (trainer.folder / "checkpoint.pt").rename(trainer.folder / "mine.pt")
    trainer.run(STEPS="100", SIZE=QUICKEST)
    assert metrics((trainer.folder / "metrics.1.jsonl").read_text()) == trainer.metrics()
    (trainer.folder / "metrics.jsonl").unlink()
    trainer.run(STEPS="200", SIZE=QUICKEST)
    assert [one["step"] for one in trainer.metrics()] == [200]


def test_a_full_disk_costs_no_checkpoint_that_was_there(trainer: Trainer) -> None:
    trainer.run(STEPS="20", SECONDS="1")
    (trainer.folder / "copy.pt").write_bytes(before := (trainer.folder / "checkpoint.pt").read_bytes())
    script = (
        "import filecmp, os, shutil, sys, runpy; shutil.copy('copy.pt', '/full/checkpoint.pt')\n"
        "open('/full/metrics.jsonl', 'w').close(); open('/full/filler', 'wb').write(bytes(SIZE))\n"
        "try: runpy.run_path('/app', run_name='__main__')\n"
        "finally: print(sorted(os.listdir('/full')), filecmp.cmp('/full/checkpoint.pt', 'copy.pt', shallow=False))"
    )
    size = 4 * 2**20 - len(before) - 16 * 2**10
    full = {"TRAINING_FOLDER": "/full", "TRAINING_STEPS": "40"}
    running = trainer.workshop.start(trainer.name, script.replace("SIZE", str(size)), **full)
    code, log = running.end(), running.log()
    assert code == 1
    assert "NO CHECKPOINT: /full/checkpoint.pt was not written" in log
    assert log.splitlines()[-1] == "['checkpoint.pt', 'filler', 'lock', 'metrics.jsonl'] True"
    assert "Traceback" not in log


def test_a_checkpoint_knows_the_reports_before_it_and_none_that_a_killed_training_wrote_after_the_last(trainer: Trainer) -> None:
    script = (
        "from pathlib import Path; from train import Metrics\n"
        "path = Path('metrics.jsonl'); path.write_text('the first, and in the checkpoint\\nthe second, and not in it\\n')\n"
        "metrics = Metrics(path, 33); print(path.read_text(), metrics.synced_size())"
    )
    assert trainer.workshop.said(trainer.name, script) == "the first, and in the checkpoint\n 33\n"


def test_reports_wait_for_room_on_a_disk_that_is_full_for_long(trainer: Trainer) -> None:
    script = (
        "from pathlib import Path; from train import Metrics\n"
        "filler, path = Path('/small/filler'), Path('/small/metrics.jsonl')\n"
        "metrics = Metrics(path, None); filler.write_bytes(bytes(64 * 1024))\n"
        "for step in range(1000): metrics.add({'step': step})\n"
        "filler.unlink(); print(metrics.synced_size() == path.stat().st_size, len(path.read_text().splitlines()))"
    )
    said = trainer.workshop.said(trainer.name, script)
    assert said.startswith("NO REPORT: ")
    assert said.splitlines()[-1] == "True 1000"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("checkpoint.pt", "cannot be read, and is left as it is: FileNotFoundError"),
        ("lock", "cannot be used: No such file or directory"),
        ("metrics.jsonl", "cannot be used: No such file or directory"),
    ],
)
def test_a_link_to_a_disk_that_is_not_there_is_named_and_stays(trainer: Trainer, name: str, message: str) -> None:
    (trainer.folder / name).symlink_to("/not/mounted/file")
    code, log = trainer.run(STEPS="20")
    assert code == 1
    assert [line for line in log.splitlines() if line.startswith(f"{trainer.there}/{name} {message}")], log
    assert "Traceback" not in log
    assert (trainer.folder / name).is_symlink()


def test_a_checkpoint_that_cannot_be_read_ends_the_trainer_and_stays(trainer: Trainer) -> None:
    (trainer.folder / "checkpoint.pt").write_bytes(b"half of a checkp")
    code, log = trainer.run(STEPS="20")
    assert code == 1
    assert f"{trainer.there}/checkpoint.pt cannot be read, and is left as it is" in log
    assert "Move it away to begin anew" in log
    assert "Traceback" not in log
    assert (trainer.folder / "checkpoint.pt").read_bytes() == b"half of a checkp"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{'training': {'step': 3}, 'metrics': 0}", "is no checkpoint of this program"),
        ("{'format': 2, 'training': {'step': 3}, 'metrics': 0}", "is no checkpoint of this program"),
        ("{'training': {'step': 3, 'games': []}, 'metrics': 0}", "is in format 1 of this trainer, which reads format 2"),
        ("{'format': 3, 'training': {'games': {}}}", "is in format 3 of this trainer, which reads format 2"),
    ],
)
def test_the_checkpoint_of_another_program_or_version_is_refused_by_name_and_stays(
    trainer: Trainer, content: str, message: str
) -> None:
    trainer.workshop.said(trainer.name, f"torch.save({content}, 'checkpoint.pt')")
    before = (trainer.folder / "checkpoint.pt").read_bytes()
    code, log = trainer.run(STEPS="20")
    assert code == 1
    assert f"{trainer.there}/checkpoint.pt {message}, and is left as it is" in log
    assert "Move it away to begin anew" in log
    assert "Traceback" not in log
    assert (trainer.folder / "checkpoint.pt").read_bytes() == before


def test_on_another_kind_of_device_a_training_goes_on_with_random_numbers_of_its_own(trainer: Trainer) -> None:
    trainer.run(STEPS="20")
    of_a_gpu = "s['training'].update(device='cuda', chance=torch.zeros(16, dtype=torch.uint8))"
    trainer.workshop.said(trainer.name, f"s = torch.load('checkpoint.pt'); {of_a_gpu}; torch.save(s, 'checkpoint.pt')")
    code, log = trainer.run(STEPS="40")
    assert code == 0
    assert "resumed from the checkpoint at step 20" in log


def test_games_of_tensors_are_those_of_the_reference_move_by_move(trainer: Trainer) -> None:
    program = Path(__file__).with_name("same_games.py").read_text()
    many = {"BOARDS": "10000", "MOVES": "100"} if DEEP else {"BOARDS": "150", "MOVES": "40"}
    settings = {**many, "SEED": str(SystemRandom().getrandbits(30))}
    running = trainer.workshop.start(trainer.name, program, **settings)
    assert running.end() == 0, (settings, running.log())
    found = re.fullmatch(r"compared \d+ shapes, (\d+) without room, \[0, 1, 2, 3, 4\] lines; (\d+) games ended\n", running.log())
    assert found, (settings, running.log())
    assert all(int(number) for number in found.groups())


def test_saturate_ends_by_itself_with_a_table_and_the_line_for_the_settings(trainer: Trainer) -> None:
    script = "import saturate; saturate.SECONDS, saturate.LEAST_GAIN = 0.1, float('inf'); saturate.main()"  # which none can gain
    said = trainer.workshop.said(trainer.name, script)
    _, head, *tried, why, setting = said.splitlines()
    assert head.split() == ["games", "moments", "steps/s", "moments/s", "utilisation", "%", "GB"]
    assert [row.split()[:2] for row in tried] == [["4", "32"], ["8", "64"]]
    assert all(float(number) > 0 for row in tried for number in row.split())
    assert (why, setting) == ("More games and moments buy no more throughput. The line for .env:", "TRAINING_SIZE=4x32")
    name, value = setting.split("=")
    assert (
        "trains on the cpu, 4 games at once, 32 moments a step"
        in trainer.run(STEPS="1", **{name.removeprefix("TRAINING_"): value})[1]
    )


def test_what_was_learned_plays_by_the_side_of_chance(trainer: Trainer) -> None:
    trainer.run(STEPS="20")
    said = trainer.workshop.said(trainer.name, "import sys, evaluate; sys.argv = ['evaluate.py', '3']; evaluate.main()")
    assert re.fullmatch(r"3 games each: \d+\.\d\d lines a game after 20 steps, \d+\.\d\d at random\n", said)


def test_two_trainers_never_share_a_folder(trainer: Trainer) -> None:
    trainer.start()
    first = trainer.running
    until(lambda: "trains on" in first.log(), pause=0.1)
    assert trainer.run() == (1, f"Another trainer uses {trainer.there}.\n")
    first.stop()
    assert first.end() == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"BATCH": "huge"}, "TRAINING_BATCH is 'huge'; it can be small, mid, large.\n"),
        (
            {"DEVICE": "cuda"},
            "There is no GPU that CUDA can use, and TRAINING_DEVICE asks for one; nvidia-smi must work first.\n",
        ),
        ({"SIZE": "512x0"}, "TRAINING_SIZE is '512x0'; it must be GAMESxMOMENTS, such as 512x65536.\n"),
        ({"STEPS": "-1"}, "TRAINING_STEPS is '-1'; it must be a whole number below 10^18.\n"),
        ({"FOLDER": "/nowhere"}, "/nowhere is not a folder that this program may write to.\n"),
    ],
)
def test_a_wrong_setting_is_named(trainer: Trainer, setting: dict[str, str], message: str) -> None:
    assert trainer.run(**setting) == (1, message)
