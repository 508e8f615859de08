"""What was measured is kept, summed up and never believed blindly."""

from pathlib import Path

from composer.cli.show_calibration import calibration_text
from composer.switching.measurements import MOST_RECORDS, Measurement, add_measurements, footprints, read_measurements

MB = 10**6


def measurement(settled: int, peak: int = 0, held: int | None = None, workload: str = "omni") -> Measurement:
    return Measurement(
        at="2026-01-02T03:04:05+00:00",
        workload=workload,
        container="x",
        declared=500 * MB,
        first=0,
        peak=peak or settled,
        settled=settled,
        held=held,
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


def test_the_lines_for_the_rules_are_rounded_up() -> None:
    text = calibration_text(footprints([measurement(502 * MB), measurement(503 * MB, peak=555 * MB)]))
    assert "omni: {footprint: {planned: 0.51GB, low: 0.51GB, high: 0.56GB}}" in text
    assert calibration_text(()) == "nothing is measured yet: every start of a switch is"
