"""A second project gets a service with a name that rules.yaml has for a workload: nothing is switched until it is said which."""

from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError
from spark_mode.lab.joined import joined
from spark_mode.lab.project import Project
from spark_mode.lab.rules_of_project import with_project
from spark_mode.planning.request import Request, RestoreRequest
from tests.audio_lab import request
from tests.simulation.lab import RULES, TRAIN, SimulatedSession, ask, run_command, service, two_projects
from tests.simulation.machine import SimulatedMachine

OMNI, TRAINING = request("audio omni"), request("training")


def named_alike(one: SimulatedMachine) -> int:
    """Have a second project get a service omni that is never started; return an exit code."""
    if ours := one.of("omni"):
        one.change(ours.id, service="lab/omni")
    lab, trains = one.project.parts
    more = {**trains.services, "omni": service("omni", "never")}
    one.project = joined((lab, Project(name=trains.name, services=more)))
    one.rules = with_project(RULES, one.project)
    return 0


@pytest.mark.parametrize("request_", [TRAINING, TRAIN, RestoreRequest()], ids=str)
def test_what_runs_under_a_name_that_two_services_have_is_not_joined_by_its_other_side(request_: Request, tmp_path: Path) -> None:
    one = two_projects()
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, OMNI)
    named_alike(one)
    with pytest.raises(ConfigurationError, match="several projects have one of that name"):
        ask(one, tmp_path, request_)
    assert set(one.running()) == {"lab/omni"}
    assert SimulatedSession(one, tmp_path).observe().workloads(one.rules)[0].name == "omni"


def test_what_ran_before_a_command_does_not_come_back_while_its_name_is_in_doubt(tmp_path: Path) -> None:
    one = two_projects()
    ask(one, tmp_path, OMNI)
    ran = run_command(one, tmp_path, meanwhile=lambda: named_alike(one))
    assert isinstance(ran.fault, ConfigurationError)
    assert not one.running()
