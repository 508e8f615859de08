"""A lab of many helpers without a health check: they start, settle and stop side by side, as their dependencies allow."""

import json
from collections.abc import Callable

from tests.engine.lab import Lab, ends, until

HELPERS = {"left", "right", "page", "database", "sidecar", "search", "logs"}
LabOf = Callable[[str], Lab]


def changed(lab: Lab, **services: dict[str, object]) -> None:
    """Have services be others than the file says."""
    file = lab.folder / "changed.yaml"
    file.write_text(json.dumps({"services": services}))
    lab.files = (*dict.fromkeys((*lab.files, file.name)),)


def without(*names: str) -> dict[str, dict[str, object]]:
    """Return of helpers, to be changed, that no mode has them."""
    return {name: {"profiles": ["left-out"]} for name in names}


def test_helpers_start_and_stop_side_by_side_as_their_dependencies_allow(lab_of: LabOf) -> None:
    lab = lab_of("helpers")
    assert lab.run("speech").code == 0
    assert set(lab.running()) == HELPERS | {"speech"}
    assert lab.run("status", "--format", "json").json["mode"] == "speech"
    started = {service: moment for service, (_, moment) in lab.running().items()}
    assert started["database"] < min(started["page"], started["sidecar"])
    lab.run("stop")
    assert lab.running() == {}
    ended = json.loads(lab.docker("inspect", *(one["id"] for one in lab.containers())))
    at = {one["Config"]["Labels"]["com.docker.compose.service"]: one["State"] for one in ended}
    assert (at["left"]["ExitCode"], at["right"]["ExitCode"]) == (0, 0), "one was killed before the other was asked to end"
    assert max(at[name]["FinishedAt"] for name in ("page", "sidecar")) < at["database"]["FinishedAt"]


def test_the_plan_names_each_helper_and_says_what_goes_side_by_side(lab_of: LabOf) -> None:
    lab = lab_of("helpers")
    steps = lab.run("plan", "speech", "--format", "json").json["steps"]
    causes = {step["subject"]: step["cause"] for step in steps if step["action"] == "start"}
    assert causes == {
        **dict.fromkeys(HELPERS | {"speech"}, "requested, side by side"),
        "page": "requested, after database",
        "sidecar": "requested, after database",
    }


def test_a_helper_that_ends_at_once_brings_back_what_ran_before(lab_of: LabOf) -> None:
    lab = lab_of("helpers")
    few = without("left", "right", "page", "sidecar", "logs")
    changed(lab, **few)
    lab.run("training")
    before = set(lab.running()) - {"search"}
    for policy in ("no", "always"):
        failing: dict[str, object] = {"entrypoint": ["sh", "-c", "exit 3"], "restart": policy}
        changed(lab, **few, search=failing, speech={"depends_on": ["search"]})
        lab.run("stop", "search")
        failed = lab.run("speech", expect=1)
        assert "search did not start" in failed.err
        assert policy == "always" or "code 3" in failed.err
        assert "code 0" not in failed.err
        assert set(lab.running()) == before


def test_what_was_starting_side_by_side_is_recovered_after_a_kill(lab_of: LabOf) -> None:
    lab = lab_of("helpers")
    waiting = {"test": ["CMD", "test", "-e", "/word"], "start_period": "10m", "start_interval": "100ms"}
    changed(lab, **without("left", "right", "sidecar"), logs={"healthcheck": waiting})
    there = {"page", "database", "search", "logs"}
    switch = lab.spawn("speech")
    until(lambda: there - {"page"} <= set(lab.running()))
    switch.kill()
    ends(switch)
    lab.docker("exec", lab.id_of("logs"), "touch", "/word")
    assert lab.run("recover").code == 0
    assert set(lab.running()) == there | {"speech"}
    assert lab.run("recover").out.startswith("nothing to do")
