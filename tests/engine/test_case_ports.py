"""Services that publish one port of the machine: Docker itself does not run them together, and a switch knows that before."""

import socket
from collections.abc import Callable
from itertools import combinations

import pytest

from tests.engine.lab import Lab

SERVICES = ("flux", "sdxl", "everywhere", "elsewhere", "six")


@pytest.fixture
def ports(lab_of: Callable[[str], Lab]) -> Lab:
    """The lab of ports, on one that is free at all addresses."""
    lab = lab_of("ports")
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::", 0))
        lab.environment["PORT"] = str(free.getsockname()[1])
    return lab


def test_what_is_added_does_not_take_the_port_of_what_runs(ports: Lab) -> None:
    ports.run("image", "flux")
    before = ports.running()
    outcome = ports.run("up", "sdxl", expect=4)
    assert f"both publish 127.0.0.1:{ports.environment['PORT']}" in outcome.err
    assert "spark-mode stop flux" in outcome.err
    assert ports.running() == before


def test_a_mode_stops_what_has_the_port_and_says_so(ports: Lab) -> None:
    ports.run("image", "flux")
    reason = f"both publish 127.0.0.1:{ports.environment['PORT']}"
    (stop,) = [one for one in ports.run("plan", "image", "sdxl", "--format", "json").json["steps"] if one["action"] == "stop"]
    assert (stop["subject"], stop["cause"]) == ("flux", reason)
    ports.run("image", "sdxl")
    assert set(ports.running()) == {"sdxl"}
    ports.run("image", "everywhere")
    assert set(ports.running()) == {"everywhere"}


def test_what_publishes_the_port_elsewhere_runs_beside_it(ports: Lab) -> None:
    ports.run("image", "flux")
    ports.run("up", "elsewhere")
    assert set(ports.running()) == {"flux", "elsewhere"}


def test_the_matrix_says_no_to_the_modes_of_one_port(ports: Lab) -> None:
    judged = {(one["one"], one["other"]): one["decision"] for one in ports.run("matrix", "--format", "json").json["modes"]}
    assert judged["image flux", "image sdxl"] == judged["image sdxl", "image everywhere"] == "no"
    assert judged["image flux", "image elsewhere"] == judged["image flux", "image six"] == "yes"


def test_docker_refuses_the_pairs_that_a_budget_says_no_to_and_no_others(ports: Lab) -> None:
    said, done = {}, {}
    for pair in combinations(SERVICES, 2):
        said[pair] = ports.run("budget", *pair, "--format", "json").json["decision"]
        profiles = [part for name in pair for part in ("--profile", name)]
        up = ports.plain("-p", ports.project, *profiles, "up", "--detach", *pair)
        done[pair] = "yes" if up.code == 0 else "no"
        ports.down()
    assert said == done
    assert set(done.values()) == {"yes", "no"}
