"""A mistake in rules.yaml is found with its path, and nothing else can come out of any text."""

import json
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_mode.errors import ConfigurationError
from spark_mode.lab.document import parse_document
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.rules_schema import rules_schema
from spark_mode.lab.rules_writing import as_text
from spark_mode.lab.size import parse_size
from tests.audio_lab import read_cases, read_yaml
from tests.deep import DEEP
from tests.json_schema import accepts
from tests.mutated import mutated

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "rules.yaml").read_text()
DOCUMENT = read_yaml(ROOT / "rules.yaml")
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Ten times as quick, where PyYAML was built with libyaml."""
MISTAKES: list[dict[str, str]] = read_cases("broken_rules.yaml")

SCHEMA = rules_schema()
PHRASES = ("Input", "should", "required", "a valid", "pydantic", "Extra", "Value error", "write something else")
"""What Pydantic says, and what we say where no sentence of ours is there for a kind of mistake."""
EVERY_KEY = """
scope: machine
hardware: {name: a machine, capacity: 128GB, facts: {a: b}}
limits: {fits_easily: 25GB, fits: 80GB, tight: 100GB, headroom: 20GB, floor: 10GB, release_seconds: 1.5}
overhead: {system: 2GB, per_class: 2GB, burst: {cuda_context: {low: 0.5GB, high: 1GB}, kv_cache: {low: 1GB, high: 8GB}}}
classes: {image: {description: pictures, kv_cache: true, runs_to_end: false}}
workloads:
  flux:
    {class: image, footprint: {planned: 2GB, low: 1GB, high: 3GB}, service: flux, priority: 5, load_seconds: 3, aliases: [f],
     variants: {big: {footprint: 4GB, environment: {A: b}}, small: {footprint: 2GB}}, default_variant: small,
     runs_to_end: true, outside: [{name: a}, {image: b}, {label: c=d}]}
  m: {class: image, footprint: 1GB, model: "m:8b", host: h}
hosts: {h: {service: o, port: 11434}, d: {address: "http://127.0.0.1:1"}}
profiles: {flux: {models: [m]}}
rules:
  - {name: a, exclusive: [flux, m], because: b, advice: c}
  - {name: b, at_most: 1, of: [flux, m], because: b}
  - {name: c, careful: [flux, m], because: b}
  - {name: d, alternate: [image], because: b}
modes: {image: {class: image, profiles: [flux]}, other: {class: image, services: [o]}}
sets: [{name: A, wish: w, workloads: [flux]}]
default_footprint: 1GB
guard: {on_violation: warn, spares: [image], patience: 2}
"""


def read(text: str) -> Rules:
    return read_rules(text, "rules.yaml", str)


def test_a_mistake_is_named_with_its_place() -> None:
    for mistake in MISTAKES:
        assert TEXT.count(mistake["find"]) == 1, mistake
        with pytest.raises(ConfigurationError) as found:
            read(TEXT.replace(mistake["find"], mistake["put"]))
        assert found.value.message.startswith("rules.yaml"), mistake
        assert mistake["says"] in found.value.message, mistake


def test_all_mistakes_are_told_at_once() -> None:
    text = TEXT.replace("headroom: 20GB", "headroom: 20").replace("floor: 10GB", "floor: ten")
    with pytest.raises(ConfigurationError) as found:
        read(text)
    assert len(found.value.message.splitlines()) == 2


@pytest.mark.parametrize("text", ["", "[]", "a", "null", "{", "\t", "a: b: c", "\x00", "a: " * 30, "[" * 50, "x" * 300_000])
def test_text_that_is_no_rules_file_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError) as found:
        read(text)
    assert found.value.hint == "correct rules.yaml; nothing is touched until then"


@settings(max_examples=200 if DEEP else 40)
@given(st.text())
def test_any_text_is_a_configuration_error_and_nothing_worse(text: str) -> None:
    with pytest.raises(ConfigurationError) as found:
        read(text)
    assert found.value.hint


@example(0, 0, "<")
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 40), st.text(max_size=8))
def test_damage_anywhere_gives_rules_or_a_configuration_error(at: int, length: int, put: str) -> None:
    try:
        read(TEXT[:at] + put + TEXT[at + length :])
    except ConfigurationError as error:
        assert error.message.startswith("rules.yaml")
        assert error.hint


@pytest.mark.parametrize("scale", ["0", "-1", "1/0", "half", "1e999999999", ".nan", "true", "[1]", "null", "'1/16/16'"])
def test_a_scale_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(ConfigurationError, match="scale") as found:
        read_rules(f"extends: other\nscale: {scale}", "scaled.yaml", lambda _: TEXT)
    assert found.value.hint == "correct scaled.yaml; nothing is touched until then"


@pytest.mark.parametrize("other", ["", "[a]", "1", '"a\\0b"', '"\\e[2J"'])
def test_a_file_to_extend_is_named_by_a_plain_path(other: str) -> None:
    with pytest.raises(ConfigurationError, match="extends: write the path of another rules file"):
        read_rules(f"extends: {other}", "scaled.yaml", lambda _: TEXT)


@pytest.mark.parametrize("base", ["[]", "null", "extends: another"])
def test_a_file_to_extend_is_complete(base: str) -> None:
    with pytest.raises(ConfigurationError, match=r"scaled.yaml: extends: other must be a complete rules file"):
        read_rules("extends: other", "scaled.yaml", lambda _: base)


def test_a_file_that_extends_another_puts_its_own_keys_in_place_of_that_ones() -> None:
    own = "extends: other\nscale: 1/2\nhardware: {name: a small machine, capacity: 64GB}"
    rules = read_rules(own, "scaled.yaml", lambda _: TEXT)
    assert (rules.hardware.name, rules.hardware.capacity) == ("a small machine", 32 * 10**9)
    assert rules.workloads["omni"].footprint.planned == 4 * 10**9


def test_many_mistakes_are_told_as_the_first_of_them() -> None:
    with pytest.raises(ConfigurationError) as found:
        read(TEXT + "\n".join(f"key{number}: 1" for number in range(500)))
    lines = found.value.message.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "rules.yaml: and more; these 20 are the first"


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["8GB", "auto", "omni"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.just("planned"), inner, max_size=3),
    max_leaves=6,
)


def places(data: object) -> list[tuple[Any, Any]]:
    """Return every container in parsed YAML with each of its keys."""
    entries = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [place for key, value in entries for place in ((data, key), *places(value))]


@settings(max_examples=200 if DEEP else 40)
@given(st.data())
def test_any_value_anywhere_gives_rules_or_a_configuration_error(data: st.DataObject) -> None:
    document = deepcopy(DOCUMENT)
    holder, key = data.draw(st.sampled_from(places(document)))
    holder[key] = data.draw(ODD)
    if isinstance(holder, dict) and data.draw(st.booleans()):
        holder[data.draw(st.text(max_size=9) | st.sampled_from(["name", "variant", "class_", "<exclusive>", "model"]))] = 1
    try:
        rules = read(yaml.dump(document, Dumper=DUMPER, allow_unicode=True))
    except ConfigurationError as error:
        assert all(line.startswith("rules.yaml") for line in error.message.split("\n"))
        assert not any(phrase in error.message for phrase in PHRASES), error.message
    else:
        assert accepts(SCHEMA, document)
        assert read(as_text(rules)) == rules


def test_no_sentence_of_pydantic_reaches_anybody_whatever_stands_where() -> None:
    said = set()
    for document in islice(mutated(yaml.safe_load(EVERY_KEY)), 0, None, 1 if DEEP else 3):
        try:
            read(json.dumps(document))
        except ConfigurationError as error:
            said |= set(error.message.splitlines())
    assert len(said) > (300 if DEEP else 200)
    assert [line for line in said if any(phrase in line for phrase in PHRASES)] == []


def test_every_key_has_its_place_in_what_is_written_and_in_the_schema() -> None:
    rules = read(EVERY_KEY)
    assert read(as_text(rules)) == rules
    assert accepts(SCHEMA, yaml.safe_load(EVERY_KEY))


@pytest.mark.parametrize("file", ["rules.yaml", "compose/stand-in.rules.yaml"])
def test_the_shipped_rules_are_read_back_as_they_are_written_and_follow_the_schema(file: str) -> None:
    text = (ROOT / file).read_text()
    rules = read_rules(text, file, lambda other: (ROOT / "compose" / other).read_text())
    assert read(as_text(rules)) == rules
    assert accepts(SCHEMA, yaml.safe_load(text))


def test_an_editor_is_told_of_an_unknown_key() -> None:
    unknown = [one for one in MISTAKES if "unknown key" in one["says"]]
    assert unknown
    texts = [TEXT.replace(one["find"], one["put"]) for one in unknown]
    assert [one["says"] for one, text in zip(unknown, texts, strict=True) if accepts(SCHEMA, parse_document(text, "rules"))] == []


def test_the_schema_in_the_docs_is_that_of_the_models() -> None:
    there = json.loads((ROOT / "docs/rules.schema.json").read_text())
    assert there == SCHEMA, "make it anew: spark-mode rules --schema > docs/rules.schema.json"


@pytest.mark.parametrize(("text", "size"), [("8GB", 8 * 10**9), ("7.5GiB", 15 * 2**29), ("512 MB", 512 * 10**6)])
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["8", 8, "8gb", "-8GB", "GB", "8 GB x", None, "8e3GB", "٨GB"])
def test_a_size_without_a_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="unit"):
        parse_size(text)
