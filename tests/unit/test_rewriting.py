"""Measured figures go into rules.yaml as they were typed there: every comment, the order and all else stay."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from spark_mode.cli.write_calibration import write_figures
from spark_mode.errors import ConfigurationError
from spark_mode.init.rewriting import Figures, described, with_figures
from spark_mode.journal.measurements import Measurement, add_measurements
from spark_mode.lab.files import LabFiles
from spark_mode.session.session import Session
from tests.unit.first import First, gpu, project, read_back

SEEN = Figures("7GB", "6GB", "9GB", "measured: the median of 2 starts")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 8GB # why", "a: {footprint: {planned: 7GB, low: 6GB, high: 9GB}} # why"),
        ("a: {class: x, footprint: 8GB} # why", "a: {class: x, footprint: {planned: 7GB, low: 6GB, high: 9GB}} # why"),
        (
            "a: {footprint: {high: 8GB, planned: 3GB}, class: x} # why",
            "a: {footprint: {low: 6GB, high: 9GB, planned: 7GB}, class: x} # why",
        ),
        (
            "a:\n    footprint: # so\n      planned: 8GB # this\n      # and\n      low: '1GB'\n    class: x # that",
            "a:\n    footprint: # so\n      high: 9GB\n      planned: 7GB # this\n      # and\n      low: 6GB\n"
            "    class: x # that",
        ),
        (
            "a:\n    class: x\n    footprint: 8GB # this\n\n  # next",
            "a:\n    class: x\n    footprint: {planned: 7GB, low: 6GB, high: 9GB} # this\n\n  # next",
        ),
    ],
)
def test_the_figures_alone_are_replaced(before: str, after: str) -> None:
    head, tail = "# é 日本\nworkloads: # all\n  ", "\n  b: {class: x, footprint: 8GB} # b\nrules: [] # end"
    assert with_figures(head + before + tail, {"a": SEEN, "none": SEEN}) == head + after + tail


def test_the_shipped_file_keeps_every_line_but_those_that_were_measured() -> None:
    text = (ROOT / "rules.yaml").read_text()
    after = with_figures(text, {"omni": SEEN, "training": SEEN, "training:large": SEEN, "llama3.1:8b": SEEN})
    rules = read_back(after)
    measured = [rules.find(name) for name in ("omni", "training", "training:mid", "training:large", "llama3.1:8b")]
    assert {one.footprint.planned for one in measured if one} == {7 * 10**9}
    assert len(measured) == 5
    changed = [(old, new) for old, new in zip(text.splitlines(), after.splitlines(), strict=True) if old != new]
    assert len(changed) == 5
    assert all(old.partition("#")[2] == new.partition("#")[2] for old, new in changed)
    assert described(text, "training:large")
    assert not described(text, "training:huge")


def test_what_was_not_known_says_what_it_rests_on_now() -> None:
    first = First(project(paint=gpu(image="comfyui"), draw=gpu(image="other")))
    after = with_figures(first.text, {"paint": SEEN})
    assert "paint: {class: image, footprint: {planned: 7GB, low: 6GB, high: 9GB}} # measured: the median of 2 starts" in after
    assert "draw: {class: other, footprint: 98GB} # not known" in after


def session_of(folder: Path, text: str, *took: int) -> Session:
    """Return a lab with this rules file, in which `a` was started so often and took these bytes, and `b` once."""
    (folder / "rules.yaml").write_text(text)
    starts = [*(("a", size) for size in took), ("b", 10**9)]
    records = (
        Measurement(at="2026-11-27T00:00:00Z", workload=name, container="c", declared=1, peak=size, settled=size)
        for name, size in starts
    )
    add_measurements(folder / "measured", records)
    files = LabFiles((), str(folder / "rules.yaml"))
    return cast("Session", SimpleNamespace(files=files, measurements_path=folder / "measured"))


TEXT = "workloads:\n  a: {class: x, footprint: 20GB} # mine\n  b: {class: x, footprint: 2GB}\n"


def test_two_starts_that_agree_are_written_and_one_is_called_little(tmp_path: Path) -> None:
    data, text = write_figures(session_of(tmp_path, TEXT, 7 * 10**9, 7 * 10**9))
    assert data == {"written": ["a"]}
    assert (tmp_path / "rules.yaml").read_text() == TEXT.replace("20GB", "{planned: 7GB, low: 7GB, high: 7GB}")
    assert "-  a: {class: x, footprint: 20GB} # mine" in text()
    assert "b is left as it is: 1 start is little" in text()


def test_where_nothing_agrees_nothing_is_written(tmp_path: Path) -> None:
    data, text = write_figures(session_of(tmp_path, TEXT, 7 * 10**9))
    assert (data, (tmp_path / "rules.yaml").read_text()) == ({"written": []}, TEXT)
    assert "nothing to write" in text()


def test_figures_do_not_go_into_a_file_on_a_scale_of_its_own(tmp_path: Path) -> None:
    scaled = "extends: other.yaml\nscale: 1/16\n"
    with pytest.raises(ConfigurationError, match="on a scale of its own"):
        write_figures(session_of(tmp_path, scaled, 7 * 10**9, 7 * 10**9))
    assert (tmp_path / "rules.yaml").read_text() == scaled
