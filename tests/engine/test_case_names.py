"""Services of one `container_name`: Docker has one container of a name, so the one is removed before the other is created."""

import fcntl
from collections.abc import Callable

from tests.engine.lab import LONG, Lab, asked_to_stop, ends, until

TRAP = "trap 'echo stopping' TERM; while :; do sleep 0.1; done"
STUBBORN = f'init: false, stop_grace_period: {LONG}, entrypoint: [sh, -c, "{TRAP}"]'
"""What a model has that goes on when it is asked to stop, until it is killed."""


LabOf = Callable[[str], Lab]


def of_the_name(lab: Lab) -> list[str]:
    """Return the services that have a container of the name."""
    return [one["service"] for one in lab.containers() if one["name"] == f"/{lab.project}-model"]


def test_two_of_one_name_are_refused_together_and_what_has_it_makes_room_on_every_way_as_the_plan_says(lab_of: LabOf) -> None:
    lab = lab_of("names")
    lab.run("chat", "small")
    before, name = lab.running(), f"{lab.project}-model"
    for words in (["up", "large"], ["up", "small", "large"], ["chat", "small", "--with", "large"]):
        assert f"both are named {name}" in lab.run(*words, expect=4).err
    assert lab.running() == before
    assert lab.run("budget", "small", "large", "--format", "json").json["decision"] == "no"
    planned = lab.run("plan", "chat", "large", "--format", "json").json["steps"]
    assert [
        (one["action"], one["subject"], one["cause"]) for one in planned if one["action"] in ("create", "stop", "remove")
    ] == [
        ("create", "cache", "requested"),
        ("stop", "small", f"both are named {name}"),
        ("remove", "small", f"large is to be created with its name, {name}"),
        ("create", "large", "requested"),
    ]
    lab.run("chat", "large")
    assert (of_the_name(lab), set(lab.running())) == (["large"], {"large", "cache"})
    lab.run("tune", "--yes")
    assert (of_the_name(lab), set(lab.running())) == (["tune"], {"tune", "cache"})
    lab.run("restore", "--yes")
    assert (of_the_name(lab), set(lab.running())) == (["large"], {"large", "cache"})
    assert lab.run("status", "--format", "json").json["mode"] == "chat large"

    file = lab.folder / "compose.yaml"
    file.write_text(file.read_text().replace("tune: {<<: *service,", "tune: {<<: *service, command: [broken],"))
    outcome = lab.run("tune", "--yes", expect=1)
    assert "What ran before runs again: large" in outcome.err
    assert (of_the_name(lab), set(lab.running())) == (["large"], {"large", "cache"})


def test_a_switch_that_is_killed_between_the_removal_and_the_creation_is_recovered(lab_of: LabOf) -> None:
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


def test_services_of_one_name_that_have_no_profile_take_each_others_place_too(lab_of: LabOf) -> None:
    lab = lab_of("names")
    file = lab.folder / "compose.yaml"
    file.write_text(file.read_text().replace("profiles: [small], ", "").replace("profiles: [tune], ", ""))
    rules = lab.folder / "rules.yaml"
    rules.write_text(rules.read_text().partition("modes:")[0])
    for name in ("small", "tune"):
        lab.run("up", name, "--yes")
        lab.run("stop")
        assert of_the_name(lab) == [name]


def test_what_ended_by_itself_and_gave_its_name_away_comes_back_with_its_mode(lab_of: LabOf) -> None:
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
