"""The lab's own files: Compose takes them, the stand-ins follow them, and each line has its source in docs/lab-sources.md."""

import json
import re
import subprocess
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from spark_mode.lab.rules import Rules
from tests.audio_lab import RULES
from tests.deep import DEEP, deep
from tests.engine.lab import ROOT, Lab
from tests.engine.outside import lab_in_folder

LAB, STAND_IN, ON_CPU = "compose/audio-lab.yaml", "compose/stand-in.yaml", "compose/on-cpu.yaml"
PROFILES = ("omni", "chatterbox", "xtts", "qwen", "f5", "training")
SETS = [*combinations(PROFILES, 1), *(combinations(PROFILES, 2) if DEEP else ()), PROFILES]
DOCS = (ROOT / "docs/lab-sources.md").read_text()


def config(folder: Path, files: tuple[str, ...], profiles: tuple[str, ...]) -> Any:
    """Return what Compose makes of these files; the files of `.env` where none are given."""
    named = [part for file in files for part in ("-f", file)]
    wanted = [part for profile in profiles for part in ("--profile", profile)]
    command = ["docker", "compose", *named, *wanted, "config", "--format", "json"]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{files} {profiles}: {done.stderr}"
    assert done.stderr == ""
    return json.loads(done.stdout)


def expected(profiles: tuple[str, ...]) -> set[str]:
    shared = {"whisper", "ollama"} if {*profiles} - {"omni", "training"} else set()
    return {*profiles} | shared


@pytest.mark.parametrize("files", [(LAB,), (LAB, STAND_IN)], ids=lambda files: Path(files[-1]).stem)
def test_compose_takes_every_profile_and_all_together(files: tuple[str, ...]) -> None:
    for profiles in SETS:
        assert set(config(ROOT, files, profiles)["services"]) == expected(profiles)


def test_the_real_trainer_takes_the_place_of_its_stand_in_alone() -> None:
    on_cpu, stand_in = config(ROOT, (LAB, STAND_IN, ON_CPU), ("*",)), config(ROOT, (LAB, STAND_IN), ("*",))
    assert {name for name, one in on_cpu["services"].items() if one != stand_in["services"][name]} == {"training"}


@pytest.mark.parametrize("files", [pytest.param((LAB,), marks=deep), (LAB, STAND_IN)], ids=lambda files: Path(files[-1]).stem)
def test_compose_takes_every_profile_and_all_together_behind_the_gate(lab: Lab, tmp_path: Path, files: tuple[str, ...]) -> None:
    gated = lab_in_folder(lab.project, tmp_path)
    (gated.folder / ".env").write_text(f"COMPOSE_FILE={':'.join(files)}\n")
    gated.rules = None if STAND_IN in files else "base.yaml"
    gated.run("gate", "install")
    for profiles in SETS:
        services = set(config(gated.folder, (), profiles)["services"])
        assert expected(profiles) <= services
        assert services - expected(profiles), "the gate is not there"


def gaps(lab: Mapping[str, Any], covered: Mapping[str, Any], rules: Rules) -> list[str]:
    """Return what a service of the lab lacks, by name; `covered` is the lab with its stand-ins."""
    found = []
    for name, service in lab["services"].items():
        if covered["services"][name].get("image") != "audio-lab-stand-in:latest":
            found.append(f"{name} has no stand-in")
        if any(covered["services"][name].get(real) for real in ("build", "ports", "deploy", "secrets", "configs")):
            found.append(f"the stand-in of {name} still has something of the real one")
        if rules.of_service(name) is None and rules.host_of_service(name) is None:
            found.append(f"{name} has no workload")
        if not service.get("healthcheck", {}).get("test"):
            found.append(f"{name} has no health check")
    return found


def test_every_service_has_a_stand_in_a_workload_and_a_health_check() -> None:
    assert gaps(config(ROOT, (LAB,), ("*",)), config(ROOT, (LAB, STAND_IN), ("*",)), RULES) == []


def test_a_service_that_was_added_without_them_is_named(tmp_path: Path) -> None:
    added = tmp_path / "added.yaml"
    added.write_text("services: {piper: {image: piper, profiles: [piper], ports: ['127.0.0.1:10200:10200']}}")
    lab, covered = config(ROOT, (LAB, str(added)), ("*",)), config(ROOT, (LAB, str(added), STAND_IN), ("*",))
    assert gaps(lab, covered, RULES) == [
        "piper has no stand-in",
        "the stand-in of piper still has something of the real one",
        "piper has no workload",
        "piper has no health check",
    ]


def section(service: str) -> str:
    found = re.search(rf"^### {service}\n(.*?)(?=^##|\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found, f"docs/lab-sources.md has no section for {service}"
    return found[1]


def facts(service: Mapping[str, Any]) -> list[str]:
    """Return what must have its source in the docs: base images, pinned versions, commits, flags, settings, ports and paths."""
    found = [str(port["target"]) for port in service.get("ports", ())]
    found += list(service.get("environment", ()))
    found += [word for word in service.get("command") or () if word.startswith("--")]
    found += re.findall(r"http://127\.0\.0\.1:\d+(/[\w/-]+)", str(service["healthcheck"]["test"]))
    if not (build := service.get("build")):
        return [*found, service["image"]]
    folder = Path(build["context"])
    written = (folder / "Dockerfile").read_text()
    found += re.findall(r"^FROM (\S+)", written, re.MULTILINE)
    found += re.findall(r"[\w.-]+==[\w.]+", written)
    found += re.findall(r"^ARG COMMIT=(\w+)", written, re.MULTILINE) + re.findall(r"--branch (\S+)", written)
    found += re.findall(r'"(--[\w-]+)"', "".join(re.findall(r"^CMD .*", written, re.MULTILINE)))
    if (asked := folder / "requirements.in").exists():
        found += re.findall(r"^[\w.-]+(?:\[\w+\])?==[\w.]+", asked.read_text(), re.MULTILINE)
    return found


def test_every_image_flag_and_port_has_its_source_in_the_docs() -> None:
    services = config(ROOT, (LAB,), ("*",))["services"]
    assert {*services} == {*PROFILES, "whisper", "ollama"}
    unsaid = {name: [fact for fact in facts(service) if fact not in section(name)] for name, service in services.items()}
    assert {name: missing for name, missing in unsaid.items() if missing} == {}


def test_the_docs_have_a_section_for_every_service_and_no_other() -> None:
    assert set(re.findall(r"^### (\w+)$", DOCS, re.MULTILINE)) == set(config(ROOT, (LAB,), ("*",))["services"])


def test_what_the_real_lab_publishes_is_on_loopback_and_no_two_services_share_a_port() -> None:
    ports = [port for one in config(ROOT, (LAB,), ("*",))["services"].values() for port in one.get("ports", ())]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len({port["published"] for port in ports}) == len(ports) == 7


def test_a_token_never_stands_in_what_compose_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret")
    monkeypatch.setenv("HF_TOKEN_FILE", str(token))
    answer = json.dumps(config(ROOT, (LAB,), ("*",)))
    assert str(token) in answer
    assert "hf_secret" not in answer


def test_check_says_that_a_variable_of_ours_has_no_effect_in_an_env_file(lab: Lab, tmp_path: Path) -> None:
    apart = lab_in_folder(lab.project, tmp_path)
    with (apart.folder / ".env").open("a") as file:
        file.write("export SPARK_MODE_RULES=other.yaml\n#SPARK_MODE_NONE=1\n SPARK_MODE_OTHER = $WHERE\n")

    def said(**environment: str) -> list[str]:
        found = apart.run("check", "--format", "json", expect=None, **environment).json
        return [one["message"] for one in found if one["where"] == str(apart.folder / ".env")]

    ends = "has no effect in this file: SPARK_MODE_RULES counts only as an exported variable"
    assert said() == [f"SPARK_MODE_RULES, SPARK_MODE_OTHER {ends}"]
    assert said(SPARK_MODE_RULES="rules.yaml") == [f"SPARK_MODE_OTHER {ends}"]
