"""Services that nobody describes are told in a line, as an error only where a mode needs them."""

from typing import Any

from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules_of_project import with_project
from spark_mode.reporting.undescribed import undescribed
from tests.unit.first import gpu, project, read_back

RULES = "workloads: {talk: {class: llm, footprint: 6GB}}\nmodes: {talk: {class: llm, profiles: [talk]}}"


def said(**services: dict[str, Any]) -> list[tuple[str, str, str]]:
    lab = read_project(project(talk=gpu(image="vllm", profiles=["talk"]), **services), {})
    rules = with_project(read_back(RULES), lab)
    return [(one.level, one.where, one.message) for one in undescribed(lab, rules)]


def test_what_a_mode_needs_is_an_error_and_what_none_needs_is_none() -> None:
    assert said(page={"image": "page"}) == []
    assert said(own=gpu(image="x", profiles=["talk"]), other=gpu(image="x", profiles=["other"])) == [
        ("error", "compose: own", "it asks for a GPU, and no workload describes it: a switch refuses it"),
        ("info", "compose: other", "no mode needs it, and no workload describes it"),
    ]


def test_what_comes_along_with_every_mode_and_what_a_mode_depends_on_is_needed() -> None:
    along = gpu(image="x"), {"image": "page", "profiles": ["talk"], "depends_on": {"under": {}}}, gpu(image="x", profiles=["no"])
    (found,) = said(base=along[0], page=along[1], under=along[2])
    assert found == ("error", "compose", "a switch refuses these, which no workload describes: base, under")


def test_many_share_a_line() -> None:
    many = {f"gpu{number:02}": gpu(image="x", profiles=["other"]) for number in range(31)}
    assert said(**many) == [
        (
            "info",
            "compose",
            "no mode needs these, and no workload describes them: gpu00, gpu01, gpu02, gpu03, gpu04 and 26 more",
        )
    ]
