"""Hosts that systemd runs, as services of the lab: Compose is never told of them."""

from pathlib import Path

import pytest

from spark_mode.enforcement.gate_file import gate_text, without_gate
from spark_mode.errors import ConfigurationError
from spark_mode.lab.project import Project
from spark_mode.lab.service import Service
from spark_mode.lab.units import id_of_unit, with_units
from spark_mode.planning.container import Container
from spark_mode.planning.mode import base_services
from spark_mode.session.foreign_workloads import named_in_lab
from tests.simulation.lab import PROJECT, UNIT, WITH_DAEMON


def test_a_unit_is_a_service_of_its_host_s_name_that_starts_with_no_mode() -> None:
    rules, project = with_units(WITH_DAEMON, PROJECT)
    assert project.services["served"].unit == UNIT
    assert rules.host_of_service("served") == "served"
    assert rules.daemon("served") is None
    assert rules.daemon("daemon") == "daemon"
    assert "served" not in base_services(project, rules)


def test_a_service_of_the_same_name_is_refused() -> None:
    project = Project(name="lab", services={"served": Service(name="served")})
    with pytest.raises(ConfigurationError, match='"served" is a service of the Compose files'):
        with_units(WITH_DAEMON, project)


def test_a_unit_is_of_none_of_several_compose_projects() -> None:
    several = PROJECT.model_copy(update={"parts": (PROJECT, Project(name="other"))})
    unit = Container(id=id_of_unit(UNIT), name=UNIT, state="running", service="served")
    assert named_in_lab(unit, "lab", several) == unit
    assert named_in_lab(unit.model_copy(update={"id": "c"}), "lab", several).project == "lab"


def test_the_gate_has_nothing_of_a_unit() -> None:
    _, project = with_units(WITH_DAEMON, PROJECT)
    assert gate_text(project, Path("/l"), "r", Path("/p")) == gate_text(PROJECT, Path("/l"), "r", Path("/p"))
    assert "served" not in without_gate(project)
