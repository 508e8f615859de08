"""What goes side by side at a pace: as many at a time as go well together, none held up by one that takes long."""

from threading import Thread

from spark_mode.engine.pace import Pace

LONG = 600.0


def test_one_more_than_may_go_at_a_time_begins_when_another_has_ended() -> None:
    pace = Pace(2, LONG)
    pace.begin()
    pace.begin()
    third = Thread(target=pace.begin, daemon=True)
    third.start()
    third.join(0.02)  # one that may begin does so at once
    assert third.is_alive()
    pace.ended()
    third.join(LONG)
    assert not third.is_alive()


def test_what_takes_long_holds_the_next_one_up_for_a_moment_alone() -> None:
    pace = Pace(1, 0.001)
    for _ in range(5):
        pace.begin()  # none of them ever ends
