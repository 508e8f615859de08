"""Services that publish one port of the machine: Docker itself does not run them together, and a switch knows that before."""

import socket
from collections.abc import Callable

import pytest

from tests.deep import DEEP
from tests.engine.lab import Lab

pytestmark = pytest.mark.xdist_group("ports")  # what Compose answered to the one before is known to the next

SERVICES = ("flux", "sdxl", "everywhere", "elsewhere", "six")
EVERY = {first: SERVICES[place:] for place, first in enumerate(SERVICES[:-1], 1)}
PAIRS = EVERY if DEEP else {"flux": EVERY["flux"], "everywhere": ("six",)}
"""Who is tried beside whom: at the same address, at all of them, at another one, at those of the other kind; and the last two."""


@pytest.fixture
def ports(lab_of: Callable[[str], Lab]) -> Lab:
    """The lab of ports, on one that is free at all addresses."""
    lab = lab_of("ports")
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::", 0))
        lab.environment["PORT"] = str(free.getsockname()[1])
    return lab


def test_what_is_added_does_not_take_the_port_of_what_runs_and_a_mode_stops_what_has_it_and_says_so(ports: Lab) -> None:
    ports.run("image", "flux")
    before = ports.running()
    reason = f"both publish 127.0.0.1:{ports.environment['PORT']}"
    outcome = ports.run("up", "sdxl", expect=4)
    assert reason in outcome.err
    assert "spark-mode stop flux" in outcome.err
    assert ports.running() == before
    (stop,) = [one for one in ports.run("plan", "image", "sdxl", "--format", "json").json["steps"] if one["action"] == "stop"]
    assert (stop["subject"], stop["cause"]) == ("flux", reason)
    ports.run("image", "sdxl")
    assert set(ports.running()) == {"sdxl"}
    ports.run("up", "elsewhere")
    assert set(ports.running()) == {"sdxl", "elsewhere"}


def test_the_matrix_says_no_to_the_modes_of_one_port(ports: Lab) -> None:
    judged = {(one["one"], one["other"]): one["decision"] for one in ports.run("matrix", "--format", "json").json["modes"]}
    assert judged["image flux", "image sdxl"] == judged["image sdxl", "image everywhere"] == "no"
    assert judged["image flux", "image elsewhere"] == judged["image flux", "image six"] == "yes"


def test_docker_refuses_the_pairs_that_a_budget_says_no_to_and_no_others(ports: Lab) -> None:
    said, done = {}, {}
    for first, beside in PAIRS.items():
        started(ports, first)
        for second in beside:
            said[first, second] = ports.run("budget", first, second, "--format", "json").json["decision"]
            done[first, second] = "yes" if started(ports, second) else "no"
            ports.docker("rm", "--force", ports.id_of(second))
        ports.down()
    assert said == done
    assert set(done.values()) == {"yes", "no"}


def started(ports: Lab, service: str) -> bool:
    """Start one by plain Compose; say whether Docker did so."""
    return ports.plain("-p", ports.project, "--profile", service, "up", "--detach", service).code == 0
