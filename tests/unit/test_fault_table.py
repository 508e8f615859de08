"""docs/faults.md names tests that exist, and leaves none of the faults out."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = (TESTS.parent / "docs/faults.md").read_text()


def test_every_test_that_the_table_names_exists() -> None:
    written = "\n".join(file.read_text() for file in TESTS.rglob("test_*.py"))
    there = {*re.findall(r"^def (test_\w+)", written, re.MULTILINE), *re.findall(r"^(Test\w+) = ", written, re.MULTILINE)}
    named = set(re.findall(r"`(test_\w+|Test\w+)`", TABLE))
    assert named
    assert named - there == set()


def test_every_fault_has_a_row_and_every_row_a_test() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith(("| |", "| what happens"))]
    assert [row.split()[1] for row in rows[:33]] == [f"F{number}" for number in range(1, 34)]
    assert [row for row in rows if not re.search(r"`(test_|Test)\w+` ?(,|\|)", row)] == []
