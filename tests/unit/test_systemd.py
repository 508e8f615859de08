"""systemd's door: what it says of a unit, what it is told, and what is in the way of a user."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_mode.engine.doors import UnitFailed, UnitState
from spark_mode.engine.systemd import Systemd
from tests.fake_systemd import UNIT, FakeSystemd


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystemd]:
    """A machine's systemd with one unit, which does not run."""
    made = FakeSystemd(tmp_path / "systemd", {"a:latest": 1})
    monkeypatch.setenv("PATH", f"{made.programs}:/usr/bin:/bin")
    yield made
    Systemd().stop(UNIT, 10)


def test_a_unit_is_started_and_stopped_and_both_are_seen(systemd: FakeSystemd) -> None:
    door = Systemd()
    assert door.state(UNIT)[:2] == ("loaded", "inactive")
    door.start(UNIT, 10)
    seen = door.state(UNIT)
    assert (seen.active, seen.since > 0, seen.is_active) == ("active", True, True)
    door.stop(UNIT, 10)
    assert door.state(UNIT).is_active is False
    assert systemd.told() == [f"start {UNIT}", f"stop {UNIT}"]


def test_who_may_is_asked_without_a_change(systemd: FakeSystemd) -> None:
    door = Systemd(is_root=False)
    assert door.fault(UNIT, "start") is None
    door.start(UNIT, 10)
    assert door.fault(UNIT, "stop") is None
    systemd.is_("denied")
    fault = door.fault(UNIT, "stop") or ""
    assert f"you may not stop {UNIT}: Failed to start {UNIT}: Interactive authentication required" in fault
    assert "sudo spark-mode guard install" in fault
    assert door.state(UNIT).is_active
    assert Systemd(is_root=True).fault(UNIT, "stop") is None, "nobody asks whether root may"
    systemd.is_("denied", so=False)
    asked = [line for line in systemd.told() if "ignore-dependencies" in line]
    assert [line.split()[0] for line in asked] == ["stop", "start", "start"], "what is, is asked for"


def test_a_unit_that_is_not_there_or_masked_is_said_to_be(systemd: FakeSystemd) -> None:
    assert Systemd().fault("other.service", "start") == "systemd has no unit other.service"
    assert (Systemd().state("other.service").is_known, Systemd().state(UNIT).is_known) == (False, True)
    systemd.is_("masked")
    assert Systemd().fault(UNIT, "start") == f"{UNIT} is masked"


def test_a_unit_that_nobody_may_stop_by_hand_is_said_to_be_one(systemd: FakeSystemd) -> None:
    Systemd().start(UNIT, 10)
    systemd.is_("refusing")
    assert Systemd().fault(UNIT, "stop") == f"{UNIT} is one that systemd lets nobody stop by hand"


@pytest.mark.usefixtures("systemd")
def test_somebody_else_at_the_address_is_not_taken_for_the_unit() -> None:
    fault = Systemd().fault(UNIT, "stop") or ""
    assert fault.startswith(f"{UNIT} does not run, and somebody else listens")


def test_a_machine_without_systemd_is_said_to_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("spark_mode.engine.systemd.SYSTEM", str(tmp_path))
    assert Systemd().state(UNIT) == UnitState()
    assert (Systemd().fault(UNIT, "start") or "").startswith("systemd cannot be asked")
    with pytest.raises(UnitFailed, match="there is no systemctl here"):
        Systemd().stop(UNIT, 1)


def test_no_systemctl_of_the_working_directory_is_run(
    systemd: FakeSystemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "systemctl"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f":.:{systemd.programs}")
    assert Systemd().state(UNIT).load == "loaded"
    assert not (tmp_path / "sprung").exists()


def test_a_systemctl_that_does_not_end_is_ended_and_named(systemd: FakeSystemd) -> None:
    systemd.is_("slow")
    with pytest.raises(UnitFailed, match=r"systemctl start did not end within 0\.1 s"):
        Systemd().start(UNIT, 0.1)
    systemd.is_("slow", so=False)


def test_it_is_seen_whether_anybody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert Systemd().listens(address)
    assert not Systemd().listens(address)
