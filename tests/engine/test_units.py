"""A model host that systemd runs, as a process of this machine, and its clients, which never stop asking for a model."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from spark_mode.engine.systemd import Systemd
from tests import hosted
from tests.deep import DEEP
from tests.engine.guarding import Guarding
from tests.engine.lab import ROOT, Lab, until
from tests.fake_systemd import UNIT, FakeSystemd

SMALL, MB = "llama3.1:8b", 10**6
EVERY, LOADS = (10.0, 12) if DEEP else (1.0, 3)
"""How often a client has a model loaded, seconds, and how often in all."""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystemd]:
    """A machine's systemd, whose one unit serves a model."""
    made = FakeSystemd(tmp_path / "systemd", {SMALL: 30 * MB})
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    yield made
    Systemd().stop(UNIT, 10)


def with_host(lab: Lab, folder: Path, host: str) -> None:
    """Give the lab rules in which the small model is served by this host."""
    text = (ROOT / "rules.yaml").read_text().replace(f'model: "{SMALL}", host: ollama', f'model: "{SMALL}", host: outside')
    (folder / "base.yaml").write_text(text.replace("hosts:\n", f"hosts:\n  outside: {{{host}}}\n"))
    (folder / "outside.rules.yaml").write_text("extends: base.yaml\nscale: 1/16\n")
    lab.rules = str(folder / "outside.rules.yaml")


class Client(Thread):
    """Has a model loaded again and again until it is ended; `answers` is what came of each request, at which second."""

    def __init__(self, address: str, every: float) -> None:
        super().__init__(daemon=True)
        self.address, self.every, self.ended = address, every, Event()
        self.answers: list[tuple[float, bool]] = []

    def run(self) -> None:
        body = json.dumps({"model": SMALL, "keep_alive": "5m"}).encode()
        while not self.ended.wait(self.every):
            loaded = False
            with suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{self.address}/api/generate", body, timeout=5).close()  # noqa: S310 - it is http
                loaded = True
            self.answers.append((time.time(), loaded))

    def end(self) -> None:
        self.ended.set()
        self.join()


def test_a_unit_is_stopped_before_training_or_that_is_refused_and_its_clients_load_nothing_until_restore(
    lab: Lab, tmp_path: Path, systemd: FakeSystemd
) -> None:
    lab.environment["PATH"] = os.environ["PATH"]
    with_host(lab, tmp_path, f"unit: {UNIT}, address: '{systemd.address}'")
    lab.run("up", "whisper", "--with", SMALL)
    assert systemd.told()[-1] == f"start {UNIT}"
    client = Client(systemd.address, 0.1)
    client.start()
    until(lambda: any(loaded for _, loaded in client.answers))
    systemd.is_("masked")
    assert f"{UNIT} is masked" in lab.run("training", expect=3).err
    assert f"{UNIT} is masked" in lab.run("check", expect=None).out
    assert set(lab.running()) == {"whisper"}
    systemd.is_("masked", so=False)
    steps = lab.run("plan", "training", "--format", "json").json["steps"]
    assert "outside" in [step["subject"] for step in steps if step["action"] == "stop"]
    lab.run("training")
    begun, count = time.time(), len(client.answers)
    until(lambda: len(client.answers) >= count + (1200 if DEEP else 10), seconds=600)
    assert set(lab.running()) == {"training"}
    assert not Systemd().listens(systemd.address)
    assert [at for at, loaded in client.answers if loaded and at > begun] == []
    lab.run("restore")
    client.end()
    assert set(lab.running()) == {"whisper"}
    assert {one["service"]: one["health"] for one in lab.run("status", "--format", "json").json["services"]}[
        "outside"
    ] == "healthy"


def test_without_a_unit_a_guard_unloads_what_a_client_loads_beside_training_each_time(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    server = hosted.start(folder, {SMALL: 30 * MB}, {})
    with_host(lab, tmp_path, f"address: '{hosted.address(server)}'")
    lab.run("training")
    guarding = Guarding(lab)
    held = []
    for _ in range(LOADS):
        server.load(SMALL, 600)
        begun = time.monotonic()
        until(lambda: server.loaded() == {}, pause=0.005)
        held.append(round(time.monotonic() - begun, 3))
        time.sleep(EVERY)
    print(f"held for {held} s")  # noqa: T201 - a figure, for who asks for it with -s
    assert set(lab.running()) == {"training"}
    said = lab.run("status").out
    guarding.end()
    server.shutdown()
    server.server_close()
    assert f"note: {SMALL} was loaded outside Docker, and unloaded again: training runs, and " in said
    enforced = [one["request"] for one in lab.run("history", "--format", "json").json if one["outcome"] == "enforced"]
    assert enforced == [f"unload {SMALL}"] * min(LOADS, 5)
