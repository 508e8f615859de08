"""The map is a card: every line as wide as it says, nothing cut off, readable without colour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.cli.show_map import map_text
from spark_mode.lab.size import GB
from spark_mode.planning.observed import Memory
from spark_mode.reporting.gpu_load import GpuLoad
from spark_mode.reporting.resources import Addition, Item, Resources, Sharing

SEEN = Resources(
    machine="NVIDIA DGX Spark (GB10)",
    capacity=128 * GB,
    memory=Memory(total=130 * GB, available=100 * GB),
    system=2 * GB,
    per_class=2 * GB,
    headroom=20 * GB,
    mode="audio omni",
    running=(Item(name="omni", planned=8 * GB),),
    overhead=4 * GB,
    addable=(
        Addition(name="whisper", planned=3 * GB, stops=(), verdict="fits-easily"),
        Addition(name="f5", planned=3 * GB, stops=("omni",), verdict="fits-easily"),
    ),
    sharing=(Sharing(who="training and audio", how="never together", because="training runs alone"),),
    facts={"KV cache headroom": "10-15 GB", "available for models": "107-114 GB", "memory bandwidth": "273 GB/s"},
)


def lines(seen: Resources, width: int) -> list[str]:
    return map_text(seen, width).splitlines()


@given(st.integers(80, 140), st.text(max_size=200))
def test_every_line_is_exactly_as_wide_as_the_card(width: int, because: str) -> None:
    seen = SEEN.model_copy(update={"sharing": (Sharing(who="a and b", how="never", because=because),)})
    assert {len(line) for line in lines(seen, width)} == {width}


@pytest.mark.parametrize(
    "says",
    [
        *("128.0 GB for CPU and GPU", "100.0 of 130.0 GB are available", "10-15 GB", "107-114 GB"),
        *("+3.0 GB  fits-easily", "f5: stops omni", "273 GB/s"),
    ],
)
def test_the_card_has_the_machine_what_runs_and_what_could_be_added(says: str) -> None:
    assert says in map_text(SEEN, 80)
    assert "\x1b" not in map_text(SEEN, 80)


def test_without_an_engine_what_runs_is_not_known() -> None:
    seen = SEEN.model_copy(update={"mode": "unknown", "running": (), "addable": (), "memory": Memory(total=None, available=None)})
    assert "what runs is not known" in map_text(seen, 80)


def test_what_the_gpu_does_now_stands_on_the_card_where_it_is_known() -> None:
    seen = SEEN.model_copy(update={"gpu": GpuLoad(utilisation=97, celsius=71, watts=62.3, megahertz=2405)})
    assert "the GPU now" not in map_text(SEEN, 80)
    assert "97 % busy, 71 °C, 62 W, 2405 MHz" in map_text(seen, 80)
    assert "97 % busy" in map_text(seen.model_copy(update={"sharing": ()}), 80)
    assert seen.as_json()["gpu"] == {"utilisation": 97, "celsius": 71, "watts": 62.3, "megahertz": 2405}
