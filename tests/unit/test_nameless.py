"""What the engine says of a container in the moment in which it is removed."""

from spark_mode.engine.answers import others


def test_a_container_that_is_being_removed_and_has_lost_its_name_is_known_by_its_id() -> None:
    (seen,) = others([{"Id": "0123456789abcdef", "Names": [], "State": "removing"}], "lab")
    assert (seen.container.name, seen.container.active) == ("0123456789ab", True)
    (seen,) = others([{"Id": "0123456789abcdef", "Names": None, "State": "running"}], "lab")
    assert seen.container.name == "0123456789ab"
