"""What was measured is kept, summed up and never believed blindly."""

from pathlib import Path

import pytest

from spark_mode.cli.show_calibration import calibration_text
from spark_mode.journal.measurements import MOST_RECORDS, Measurement, add_measurements, footprints, read_measurements

MB = 10**6


def measurement(
    settled: int, peak: int = 0, held: int | None = None, workload: str = "omni", others: int | None = None
) -> Measurement:
    return Measurement(
        at="2026-01-02T03:04:05+00:00",
        workload=workload,
        container="x",
        declared=500 * MB,
        peak=peak or settled,
        settled=settled,
        held=held,
        others=others,
    )


def test_the_median_stands_beside_its_spread_and_its_peak(tmp_path: Path) -> None:
    path = tmp_path / "measured"
    add_measurements(path, [measurement(500 * MB), measurement(900 * MB, peak=950 * MB)])
    add_measurements(path, [measurement(520 * MB), measurement(10 * MB, workload="f5")])
    _, omni = footprints(read_measurements(path))
    assert (omni.workload, omni.count) == ("omni", 3)
    assert (omni.median, omni.low, omni.high, omni.peak) == (520 * MB, 500 * MB, 900 * MB, 950 * MB)


def test_memory_that_came_back_meanwhile_does_not_make_a_workload_smaller_than_what_it_held() -> None:
    (omni,) = footprints([measurement(300 * MB, held=510 * MB)])
    assert (omni.median, omni.peak) == (510 * MB, 510 * MB)


def test_a_torn_line_is_left_out_and_the_file_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "measured"
    path.write_text('{"at":"2026\n' + "nonsense\n")
    assert read_measurements(path) == ()
    add_measurements(path, [measurement(number) for number in range(MOST_RECORDS + 5)])
    kept = read_measurements(path)
    assert (len(kept), kept[-1].settled) == (MOST_RECORDS, MOST_RECORDS + 4)


def test_a_declaration_is_far_only_when_seen_often_enough() -> None:
    assert not footprints([measurement(900 * MB)] * 2)[0].is_far
    assert footprints([measurement(900 * MB)] * 3)[0].is_far
    assert not footprints([measurement(600 * MB)] * 3)[0].is_far


def test_a_declaration_is_not_far_where_the_starts_do_not_agree() -> None:
    assert not footprints([measurement(size * MB) for size in (700, 900, 1100)])[0].is_far


@pytest.mark.parametrize("others", [101 * MB, -101 * MB])
def test_a_start_during_which_others_memory_moved_does_not_count(others: int) -> None:
    (omni,) = footprints([measurement(1000 * MB, others=others), measurement(500 * MB, others=20 * MB), measurement(510 * MB)])
    assert (omni.count, omni.disturbed, omni.median, omni.high, omni.peak) == (2, 1, 505 * MB, 510 * MB, 510 * MB)
    (alone,) = footprints([measurement(1000 * MB, others=others)])
    assert (alone.count, alone.disturbed, alone.agrees) == (0, 1, False)


def test_a_small_share_of_what_a_start_took_may_move_and_what_any_machine_moves() -> None:
    assert measurement(10_000 * MB, others=900 * MB).counts
    assert not measurement(10_000 * MB, others=1100 * MB).counts
    assert measurement(100 * MB, others=60 * MB).counts
    assert not measurement(100 * MB, others=70 * MB).counts


def test_a_record_from_before_others_were_watched_counts() -> None:
    old = Measurement.model_validate_json('{"at":"x","workload":"a","container":"","declared":1,"first":1,"peak":1,"settled":1}')
    assert old.counts


def test_the_lines_for_the_rules_are_rounded_up() -> None:
    text = calibration_text(footprints([measurement(502 * MB), measurement(503 * MB, peak=555 * MB)]))
    assert "planned is the median, high the highest peak:\n" in text
    assert "omni: {footprint: {planned: 0.51GB, low: 0.51GB, high: 0.56GB}}" in text
    assert calibration_text(()) == "nothing is measured yet: every start of a switch is"


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        ([measurement(500 * MB)], "1 start is little: switch to it again"),
        ([measurement(900 * MB, others=400 * MB)], "no start counts yet: switch to it again"),
        ([measurement(500 * MB), measurement(900 * MB, others=400 * MB)], "1 start is little: switch to it again"),
        ([measurement(500 * MB), measurement(900 * MB)], "its 2 starts differ, from 0.50 GB to 0.90 GB: switch to it again"),
    ],
)
def test_no_line_is_proposed_without_two_starts_that_agree(starts: list[Measurement], said: str) -> None:
    text = calibration_text(footprints(starts))
    assert "footprint:" not in text
    assert f"\n  omni: {said}" in text


def test_what_does_not_count_is_said() -> None:
    text = calibration_text(footprints([measurement(900 * MB, others=400 * MB), measurement(500 * MB), measurement(501 * MB)]))
    assert "starts that do not count, because others' memory moved meanwhile: omni 1" in text
    assert "omni: {footprint: {planned: 0.51GB" in text
