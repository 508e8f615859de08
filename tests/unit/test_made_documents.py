"""What the documents show: every key of rules.yaml with an example that is read, and commands that there are."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from documents.keys import HEADINGS
from documents.pages import PAGES
from documents.screens import MARK
from documents.spark import terminal
from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from spark_mode.fleet.nodes import read_fleet
from spark_mode.lab.rules_described import described
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.rules_schema import as_mapping, rules_schema

ROOT = Path(__file__).parents[2]
WHERE = {
    "Rules": "NEW",
    "ProjectFiles": "projects: [NEW]",
    "Hardware": "hardware: NEW",
    "Limits": "limits: NEW",
    "Overhead": "overhead: NEW",
    "Burst": "overhead: {burst: NEW}",
    "Range": "overhead: {burst: {kv_cache: NEW}}",
    "WorkloadClass": "classes: {audio: NEW, llm: {}, training: {}}",
    "Workload": "workloads: {new: NEW}",
    "Footprint": "workloads: {new: {class: audio, footprint: NEW}}",
    "Variant": "workloads: {new: {class: audio, footprint: 8GB, default_variant: m, variants: {m: {footprint: 8GB}, x: NEW}}}",
    "ForeignPattern": "workloads: {new: {class: audio, footprint: 8GB, outside: [NEW]}}",
    "ProfileNeeds": "profiles: {omni: NEW}",
    "Host": "hosts: {ollama: {service: served}, other: NEW}",
    "Mode": "modes: {new: NEW}",
    "NamedSet": "sets: [NEW]",
    "GuardPolicy": "guard: NEW",
    **dict.fromkeys(("Exclusive", "AtMost", "Careful", "Alternate"), "rules: [NEW]"),
}
"""Where in a file what each model describes may stand."""
BASE = """
hardware: {capacity: 128GB}
classes: {audio: {}, llm: {}, training: {runs_to_end: true}}
workloads:
  omni: {class: audio, footprint: 8GB}
  f5: {class: audio, footprint: 3GB}
  training: {class: training, footprint: 12GB}
  llama3.1:8b: {class: audio, footprint: 5GB, model: "llama3.1:8b", host: ollama}
hosts: {ollama: {service: served}}
"""
NEEDED: dict[str, dict[str, Any]] = {
    "Workload": {"class": "audio", "footprint": "8GB"},
    "Exclusive": {"exclusive": ["training", "audio"]},
    "AtMost": {"at_most": 1, "of": ["omni", "f5"]},
    "Careful": {"careful": ["audio", "llm"]},
    "Alternate": {"alternate": ["audio"]},
}
"""What has to be there beside a key that is shown alone."""


@pytest.mark.parametrize("model", HEADINGS)
def test_every_key_of_the_rules_is_described_and_no_other(model: str) -> None:
    schema = rules_schema()
    found = schema if model == "Rules" else as_mapping(schema["$defs"][model])
    assert set(found["properties"]) == set(described(model))


def test_every_part_of_the_rules_has_a_section() -> None:
    assert {"Rules", *rules_schema()["$defs"]} == set(HEADINGS) == set(WHERE)


@pytest.mark.parametrize("model", HEADINGS)
def test_every_example_of_a_key_is_read(model: str) -> None:
    for key, one in described(model).items():
        shown = yaml.safe_load(one.example)
        assert key in shown
        read_rules(json.dumps(with_entry(model, NEEDED.get(model, {}) | shown)), "rules.yaml", lambda _: BASE)  # JSON is YAML


def with_entry(model: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return a whole file with an entry where it belongs."""
    base, added = yaml.safe_load(BASE), put(yaml.safe_load(WHERE[model]), entry)
    return {**base, **added, "workloads": {**base["workloads"], **(added.get("workloads") or {})}}


SHOWN = [one for page in PAGES for one in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)]


@pytest.mark.parametrize("shown", [one for one in SHOWN if "fleet.yaml" in one])
def test_every_fleet_that_a_document_shows_is_read(shown: str, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(shown)
    assert read_fleet(tmp_path / "fleet.yaml").nodes


@pytest.mark.parametrize("shown", [one for one in SHOWN if "fleet.yaml" not in one])
def test_every_part_of_rules_that_a_document_shows_is_read(shown: str) -> None:
    read_rules(yaml.safe_dump({**yaml.safe_load(BASE), **(yaml.safe_load(shown) or {})}), "rules.yaml", str)


def put(node: Any, entry: dict[str, Any]) -> Any:
    """Return what is in a file with the entry in its place."""
    if isinstance(node, dict):
        return {key: put(part, entry) for key, part in node.items()}
    return [put(part, entry) for part in node] if isinstance(node, list) else entry if node == "NEW" else node


def test_every_screen_is_made_or_says_where_it_was_seen() -> None:
    for page in PAGES:
        text = page.read_text()
        seen = re.findall(r"<!-- by hand: [^>]+ -->\n\n?```console\n", text)
        assert text.count("```console\n") == len(MARK.findall(text)) + len(seen), f"{page.name}: a screen without a mark"


def blocks() -> list[list[str]]:
    """Return the lines on which spark-mode is typed in each block of the documents, but for screens, whose are run there."""
    texts = (MARK.sub("", page.read_text()).replace("\\\n", " ") for page in PAGES)
    shown = [block for text in texts for block in re.findall(r"^```(?:sh|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    lines = [[line.removeprefix("$ ").removeprefix("sudo ") for line in block.splitlines()] for block in shown]
    return [found for block in lines if (found := [line for line in block if line.startswith("spark-mode ")])]


def test_every_command_in_a_document_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for line in dict.fromkeys(line for block in blocks() for line in block):
        try:
            context = cli.make_context("spark-mode", named_here(words(line)), obj=CliOptions())
            understood(cli, context, [*context._protected_args, *context.args])
        except click.UsageError as error:
            pytest.fail(f"{line}: {error.message}")


ON_A_SPARK = {
    "audio",
    "training",
    "up",
    "stop",
    "restore",
    "status",
    "plan",
    "budget",
    "matrix",
    "map",
    "history",
    "recover",
    "release",
}
"""What can be typed at a simulated Spark without a change of the machine that it is simulated on."""


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block[0])
def test_the_commands_of_a_block_do_what_they_are_for_one_after_the_other(block: list[str]) -> None:
    with terminal() as here:
        for line in (one for one in block if ON_A_SPARK & {word.partition(":")[0] for word in words(one)[:1]}):
            said = here.type(line)
            assert here.code == 0, f"{line}\n{said}"


def words(line: str) -> list[str]:
    """Return what is typed after the name, without a comment and what a shell does with it."""
    return shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)[1:]


def named_here(words: list[str]) -> list[str]:
    """Return the words without a directory that is not here."""
    return words[2:] if words[:1] == ["-C"] else words


def understood(group: click.Group, context: click.Context, words: list[str]) -> None:
    """Raise where a command or an option is none."""
    name, command, rest = group.resolve_command(context, words)
    assert name and command
    if "--help" in rest:
        return
    inner = command.make_context(name, rest, parent=context)
    if isinstance(command, click.Group) and inner.args:
        understood(command, inner, [*inner._protected_args, *inner.args])
