"""Services of one `container_name`: Docker has one container of a name, so the one is removed before the other is created."""

import fcntl
from collections.abc import Callable

import pytest

from tests.engine.lab import LONG, Lab, asked_to_stop, ends, until

TRAP = "trap 'echo stopping' TERM; while :; do sleep 0.1; done"
STUBBORN = f'init: false, stop_grace_period: {LONG}, entrypoint: [sh, -c, "{TRAP}"]'
"""What a model has that goes on when it is asked to stop, until it is killed."""


@pytest.fixture
def names(lab_of: Callable[[str], Lab]) -> Lab:
    """The lab of one name, in which the small model runs."""
    lab = lab_of("names")
    lab.run("chat", "small")
    return lab


def of_the_name(lab: Lab) -> list[str]:
    """Return the services that have a container of the name."""
    return [one["service"] for one in lab.containers() if one["name"] == f"/{lab.project}-model"]


def test_what_has_the_name_is_stopped_and_removed_before_the_other_is_created_and_the_plan_says_so(names: Lab) -> None:
    planned = names.run("plan", "chat", "large", "--format", "json").json["steps"]
    name = f"{names.project}-model"
    assert [
        (one["action"], one["subject"], one["cause"]) for one in planned if one["action"] in ("create", "stop", "remove")
    ] == [
        ("create", "cache", "requested"),
        ("stop", "small", f"both are named {name}"),
        ("remove", "small", f"large is to be created with its name, {name}"),
        ("create", "large", "requested"),
    ]
    names.run("chat", "large")
    assert (of_the_name(names), set(names.running())) == (["large"], {"large", "cache"})


def test_the_way_back_and_the_other_side_take_the_name_in_turn(names: Lab) -> None:
    for words, service in ((["tune"], "tune"), (["chat", "small"], "small"), (["restore", "--yes"], "tune"), (["stop"], None)):
        names.run(*words, *([] if words[0] == "restore" else ["--yes"]))
        assert set(names.running()) == ({service} if service else set())
    assert names.run("status", "--format", "json").json["mode"] == "idle"
    names.run("chat", "large")
    assert names.run("status", "--format", "json").json["mode"] == "chat large"


def test_two_of_one_name_are_refused_together_naming_the_name(names: Lab) -> None:
    before = names.running()
    for words in (["up", "large"], ["up", "small", "large"], ["chat", "small", "--with", "large"]):
        assert f"both are named {names.project}-model" in names.run(*words, expect=4).err
    assert names.running() == before
    assert names.run("budget", "small", "large", "--format", "json").json["decision"] == "no"


def test_a_start_that_fails_brings_back_the_one_that_had_the_name(names: Lab) -> None:
    file = names.folder / "compose.yaml"
    file.write_text(file.read_text().replace("tune: {<<: *service,", "tune: {<<: *service, command: [broken],"))
    outcome = names.run("tune", "--yes", expect=1)
    assert "What ran before runs again: small" in outcome.err
    assert (of_the_name(names), set(names.running())) == (["small"], {"small"})


def test_a_switch_that_is_killed_between_the_removal_and_the_creation_is_recovered(lab_of: Callable[[str], Lab]) -> None:
    """It is kept from creating by the lock that each of its commands waits for; the one that it leaves behind still comes."""
    lab = lab_of("names")
    file = lab.folder / "compose.yaml"
    file.write_text(file.read_text().replace("small: {<<: *service,", f"small: {{<<: *service, {STUBBORN},"))
    lab.run("chat", "small")
    process = lab.spawn("tune", "--yes")
    id_ = asked_to_stop(lab, "small")
    with (lab.state_folder / "children.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lab.docker("kill", id_)
        until(lambda: of_the_name(lab) == [])
        process.kill()
        process.wait()
    ends(process)
    assert "it was finished" in lab.run("recover").out
    assert (of_the_name(lab), set(lab.running())) == (["tune"], {"tune"})
    lab.run("chat", "large", "--yes")
    assert (of_the_name(lab), set(lab.running())) == (["large"], {"large", "cache"})


def test_services_of_one_name_that_have_no_profile_take_each_others_place_too(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("names")
    file = lab.folder / "compose.yaml"
    file.write_text(file.read_text().replace("profiles: [small], ", "").replace("profiles: [tune], ", ""))
    rules = lab.folder / "rules.yaml"
    rules.write_text(rules.read_text().partition("modes:")[0])
    for name in ("small", "tune", "small"):
        lab.run("up", name, "--yes")
        lab.run("stop")
        assert of_the_name(lab) == [name]


def test_what_ended_by_itself_and_gave_its_name_away_comes_back_with_its_mode(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("names")
    file = lab.folder / "compose.yaml"
    fetch = '{<<: *service, entrypoint: ["true"], container_name: "${COMPOSE_PROJECT_NAME}-fetch", profiles:'
    text = file.read_text().replace("cache: {<<: *service, profiles:", f"cache: {fetch}")
    file.write_text(f"{text}  fetch: {fetch} [small]}}\n")
    lab.run("chat", "small")
    lab.run("chat", "large")
    lab.run("restore", "--yes")
    assert lab.run("status", "--format", "json").json["mode"] == "chat small"
    assert {one["service"]: one["state"] for one in lab.containers()} == {"small": "running", "fetch": "exited"}
