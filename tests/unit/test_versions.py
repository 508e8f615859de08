"""Versions are compared by their numbers, whatever a distribution or a wrapper adds to them."""

import pytest

from spark_mode.engine.versions import numbers, release


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("2.40.3", (2, 40, 3)),
        ("v2.40.3-desktop.1\n", (2, 40, 3)),
        ("2.40.2+ds1-0ubuntu1~22.04", (2, 40, 2)),
        ("580.95.05", (580, 95, 5)),
        ("13.0", (13, 0)),
        ("dev", ()),
        ("", ()),
        ("٢.٤٠", ()),
    ],
)
def test_a_version_is_the_numbers_that_it_begins_with(version: str, found: tuple[int, ...]) -> None:
    assert numbers(version) == found


def test_a_version_without_end_is_told_from_none() -> None:
    """int() refuses thousands of digits, and what a wrapper says for a version must not end in a traceback."""
    assert numbers("9" * 5000 + ".1") == (999_999_999,)


def test_two_spellings_of_a_release_of_compose_are_the_same() -> None:
    assert release("v2.40.3-desktop.1") == release("2.40.3") == "2.40.3"
    assert release(" devel ") == "devel"
