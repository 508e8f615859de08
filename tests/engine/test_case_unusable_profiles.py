"""A profile that Compose cannot resolve cannot be used, and stops nobody who does not use it."""

import re
from collections.abc import Callable

import pytest

from tests.deep import DEEP
from tests.engine.lab import Lab

pytestmark = pytest.mark.xdist_group("unusable profiles")  # what Compose answered to the one before is known to the next


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("unusable")


def only(lab: Lab, *names: str) -> None:
    """Leave out the other services: where one cannot be resolved, each profile is a question to Compose."""
    of_others = re.compile(rf"  (?!(?:{'|'.join((*names, 'training', 'trainer', 'audio'))}):)\w+: {{(?:class|<<).*\n")
    for file in (lab.folder / "compose.yaml", lab.folder / "rules.yaml"):
        text = of_others.sub("", file.read_text())
        file.write_text(re.sub(r"(audio: {class: audio, profiles: \[)[^]]*", rf"\g<1>{', '.join(names)}", text))


def test_what_cannot_be_resolved_is_refused_with_what_compose_says_and_what_nobody_uses_stops_nobody(lab: Lab) -> None:
    lab.run("audio", "plain")
    assert lab.run("status", "--format", "json").json["mode"] == "audio plain"
    before = lab.running()
    found = {one["where"]: one["message"] for one in lab.run("check", "--format", "json", expect=None).json}
    for profile, file in (("unset", "secrets.env"), ("above", "secrets.env"), ("labelled", "labels.env")):
        for verb in (
            (("audio", profile), ("up", profile), ("plan", "up", profile)) if DEEP or profile == "above" else (("up", profile),)
        ):
            refused = lab.run(*verb, expect=3)
            assert "cannot be used" in refused.err
            assert f"{file} not found" in refused.err
        assert f"{file} not found" in found[f"compose: profile {profile}"]
    assert "compose: profile twin" not in found
    refused = lab.run("audio", "secret", expect=1)
    assert "secret.txt" in refused.err, "which only the engine misses"
    assert "Nothing was stopped or started" in refused.err
    assert lab.running() == before
    lab.run("training")
    assert set(lab.running()) == {"trainer"}
    lab.run("restore")
    assert {name: one[0] for name, one in lab.running().items()} == {name: one[0] for name, one in before.items()}
    lab.run("stop")
    assert lab.running() == {}


def test_what_needs_or_has_another_profile_or_anothers_name_is_used(lab: Lab) -> None:
    lab.run("audio", "across")
    assert set(lab.running()) == {"across", "plain"}
    for name in ("either", "twin"):
        lab.run("audio", name)
        assert set(lab.running()) == {name}


def test_what_stands_in_files_of_variables_and_labels_is_part_of_a_service(lab: Lab) -> None:
    (lab.folder / "secrets.env").write_text("TOKEN=1\n")
    (lab.folder / "labels.env").write_text("one=1\n")
    for profile in ("labelled", "unset"):
        lab.run("audio", profile)
        again = lab.run("audio", profile)
        assert "nothing to do" in again.out
        assert "earlier definition" not in again.err
    (lab.folder / "secrets.env").write_text("TOKEN=2\n")
    assert "earlier definition" in lab.run("audio", "unset").err
    lab.run("stop")
    lab.run("audio", "unset")
    assert "TOKEN=2" in lab.docker("inspect", "--format", "{{.Config.Env}}", lab.id_of("unset"))


def test_a_variable_that_nobody_set_is_missed_by_those_alone_who_need_it(lab: Lab) -> None:
    only(lab, "plain", "across", "unset", "either")
    text = (lab.folder / "compose.yaml").read_text()
    for profile, more in (("[across]", "hostname: '${UNSET:?}'"), ("[labelled, either]", "ports: ['127.0.0.1:${PORT:?}:80']")):
        text = text.replace(f"profiles: {profile}", f"profiles: {profile}, {more}")
    (lab.folder / "compose.yaml").write_text(text)
    (lab.folder / "secrets.env").write_text("TOKEN=${UNSET}\n")
    lab.run("audio", "plain")
    assert "nothing to do" in lab.run("audio", "plain").out
    for profile, missing in (("across", "UNSET"), ("unset", "UNSET"), ("either", "PORT")):
        assert f"required variable {missing} is missing a value" in lab.run("audio", profile, expect=3).err
    lab.run("training")
    lab.run("audio", "across", UNSET="set", PORT="0")
    assert "UNSET" not in lab.docker("inspect", lab.id_of("plain"))


def test_what_keeps_compose_from_resolving_anything_is_said_and_what_runs_is_seen_and_stopped(lab: Lab) -> None:
    only(lab, "plain")
    lab.run("audio", "plain")
    text = (lab.folder / "compose.yaml").read_text()
    (lab.folder / "compose.yaml").write_text(text.replace("services:\n", "services:\n  base: {image: '${UNSET:?}'}\n", 1))
    assert lab.run("status", "--format", "json").json["mode"] == "audio plain"
    refused = lab.run("training", expect=3)
    assert "required variable UNSET is missing a value" in refused.err
    found = lab.run("check", "--format", "json", expect=3).json
    assert [one["message"] for one in found if one["where"] == "compose" and one["level"] == "error"] == [
        "nothing can be started: error while interpolating services.base.image: required variable UNSET is missing a value"
    ]
    lab.run("stop")
    assert lab.running() == {}


def test_what_runs_is_seen_and_stopped_when_its_profile_can_no_longer_be_resolved(lab: Lab) -> None:
    only(lab, "plain", "unset")
    (lab.folder / "secrets.env").write_text("TOKEN=1\n")
    lab.run("audio", "unset")
    (lab.folder / "secrets.env").unlink()
    status = lab.run("status", "--format", "json").json
    assert (status["mode"], [one["service"] for one in status["services"]]) == ("audio unset", ["unset"])
    assert "secrets.env not found" in lab.run("audio", "unset", expect=3).err
    lab.run("training")
    assert set(lab.running()) == {"trainer"}
    lab.run("restore", expect=3)
    (lab.folder / "secrets.env").write_text("TOKEN=1\n")
    lab.run("restore")
    assert set(lab.running()) == {"unset"}
