"""What Compose files leave unsaid: a health check that an image has, who is started with the engine, what nothing counts."""

from collections.abc import Callable, Iterator

import pytest

from tests.engine.conftest import PROJECT
from tests.engine.lab import Lab, docker

pytestmark = pytest.mark.xdist_group("unsaid")  # what Compose answered to the one before, and the image, are there for the next

CHECK = "HEALTHCHECK --interval=1s --start-period=60s --start-interval=1s CMD test -e /word"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image that has a health check of its own."""
    image, former = f"{PROJECT}-checked:latest", f"{PROJECT}-to-commit"
    docker("create", "--name", former, "audio-lab-stand-in:latest")
    docker("commit", "--change", CHECK, former, image)
    docker("rm", former)
    yield image
    docker("image", "rm", image)


@pytest.fixture
def lab(image: str, lab_of: Callable[[str], Lab]) -> Lab:
    one = lab_of("unsaid")
    one.environment["CHECKED"] = image
    return one


def found(lab: Lab) -> list[tuple[str, str]]:
    """Return place and message of what `check` warns of in the Compose files and the hosts."""
    said = lab.run("check", "--format", "json", expect=None).json
    return [(one["where"], one["message"]) for one in said if one["level"] == "warning" and one["where"] not in ELSEWHERE]


ELSEWHERE = ("locks", "machine", "gpu", "driver", "compose: version")


def test_services_without_a_health_check_are_told_in_one_line_that_knows_those_of_images(lab: Lab) -> None:
    told = [message for where, message in found(lab) if "health check" in message]
    assert told == [
        "no health check, so that they count as ready once they keep running: "
        "asking, deafened, former, helper-1, helper-2 and 5 more"
    ]


def test_what_the_engine_restarts_is_warned_of_where_a_rule_excludes_it(lab: Lab) -> None:
    assert [where for where, message in found(lab) if "starts it again with the engine" in message] == ["compose: tune"]


def test_what_nothing_counts_is_told(lab: Lab) -> None:
    told = {where: message for where, message in found(lab) if "not counted" in message}
    assert set(told) == {"compose: asking", "compose: served", "compose: ollama"}
    assert told["compose: asking"].endswith(": tiny")
    assert "is an Ollama, which is on the machine's own network, and no host in rules.yaml" in told["compose: ollama"]


def test_a_host_of_models_that_runs_and_listens_elsewhere_is_told(lab: Lab) -> None:
    lab.run("up", "deafened")
    told = {where: message for where, message in found(lab) if "nobody listens" in message}
    assert told == {
        "rules: hosts/deafened": "its service runs, and nobody listens at http://127.0.0.1:9: what it has loaded is not counted"
    }


def test_a_start_waits_for_the_health_check_of_an_image(lab: Lab) -> None:
    refused = lab.run("up", "chat", "--timeout", "2", expect=1)
    assert "it was not ready within 2 s" in refused.err


def test_what_ends_by_itself_and_has_a_health_check_by_its_image_failed(lab: Lab) -> None:
    assert "brief did not start: it exited with code 0" in lab.run("up", "brief", expect=1).err


def test_what_is_no_longer_in_the_files_is_never_counted_without_a_word(lab: Lab) -> None:
    lab.run("up", "former")
    file = lab.folder / "compose.yaml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "former" not in line))
    told = (
        "former runs and is no longer in the Compose files, and no workload describes it: "
        "it counts as 0.1 GB, whatever it takes; spark-mode stop former"
    )
    assert lab.run("status", "--format", "json").json["notes"] == [told]
    assert told in lab.run("plan", "up", "helper-1", "--format", "json").json["warnings"]
    assert told in lab.run("up", "helper-1").err
    lab.run("stop", "former")
    assert lab.run("status", "--format", "json").json["notes"] == []
