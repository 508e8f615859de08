"""A mistake in rules.yaml is found with its path, and nothing else can come out of any text."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from composer.errors import ConfigurationError
from composer.lab.rules_reading import read_rules
from composer.lab.size import parse_size

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "rules.yaml").read_text()
MISTAKES: list[dict[str, str]] = yaml.safe_load((ROOT / "tests/cases/broken_rules.yaml").read_text())


def read(text: str) -> object:
    return read_rules(text, "rules.yaml", str)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["put"].strip()[:40])
def test_a_mistake_is_named_with_its_place(mistake: dict[str, str]) -> None:
    assert TEXT.count(mistake["find"]) == 1
    with pytest.raises(ConfigurationError) as found:
        read(TEXT.replace(mistake["find"], mistake["put"]))
    assert found.value.message.startswith("rules.yaml")
    assert mistake["says"] in found.value.message


def test_all_mistakes_are_told_at_once() -> None:
    text = TEXT.replace("headroom: 20GB", "headroom: 20").replace("floor: 10GB", "floor: ten")
    with pytest.raises(ConfigurationError) as found:
        read(text)
    assert len(found.value.message.splitlines()) == 2


@pytest.mark.parametrize("text", ["", "[]", "a", "null", "{", "\t", "a: b: c", "\x00", "a: " * 30, "[" * 50, "x" * 300_000])
def test_text_that_is_no_rules_file_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read(text)


@given(st.text())
def test_any_text_is_a_configuration_error_and_nothing_worse(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read(text)


@example(0, 0, "<")
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 40), st.text(max_size=8))
def test_damage_anywhere_gives_rules_or_a_configuration_error(at: int, length: int, put: str) -> None:
    try:
        read(TEXT[:at] + put + TEXT[at + length :])
    except ConfigurationError as error:
        assert error.message.startswith("rules.yaml")


@pytest.mark.parametrize("scale", ["0", "-1", "1/0", "half"])
def test_a_scale_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(ConfigurationError, match="scale"):
        read_rules(f"extends: other\nscale: {scale}", "scaled.yaml", lambda _: TEXT)


@pytest.mark.parametrize(("text", "size"), [("8GB", 8 * 10**9), ("7.5GiB", 15 * 2**29), ("512 MB", 512 * 10**6)])
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["8", 8, "8gb", "-8GB", "GB", "8 GB x", None, "8e3GB", "٨GB"])
def test_a_size_without_a_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="unit"):
        parse_size(text)
