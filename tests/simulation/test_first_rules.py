"""What `init` writes is not only read: from every mode of a project to every other, a switch ends in what was asked for."""

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from spark_mode.engine.resolved import resolved
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules_of_project import with_project
from spark_mode.planning.mode import current_mode, mode_text
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import to_mode
from tests.simulation.lab import observer_of, switch_on
from tests.simulation.machine import SimulatedMachine
from tests.unit.first import SPARK, First, case, gpu, project

AUDIO_LAB = LabFiles((str(Path(__file__).parents[2] / "compose/audio-lab.yaml"),), "")
PAGE = {"image": "open-webui", "ports": [{"target": 8080}], "depends_on": {"ollama": {}}, "environment": {"MODEL": "llama3.1:8b"}}
CHAT_AND_TUNING = project(page=PAGE, ollama=gpu(image="ollama/ollama"), tune=gpu(image="me/finetune", profiles=["tune"]))
STATUS_AND_MANY = project(
    status=gpu(image="vllm", command=["vllm", "serve", "--gpu-memory-utilization", "0.4"], profiles=["status"]),
    other=gpu(image="vllm", command=["vllm", "serve", "--gpu-memory-utilization", "0.4"], profiles=["many"]),
    third=gpu(image="comfyui", profiles=["many"]),
    page={"image": "page", "ports": [{"target": 80}]},
)


@pytest.mark.parametrize(
    "lab",
    [
        *(
            pytest.param(case(name), id=name)
            for name in ("page_and_models", "four_servers", "two_painters", "one_kit_three_machines")
        ),
        pytest.param(CHAT_AND_TUNING, id="chat_and_tuning"),
        pytest.param(STATUS_AND_MANY, id="status_and_many"),
        pytest.param(resolved(AUDIO_LAB, "/nowhere").model, id="audio-lab"),
    ],
)
def test_from_every_mode_to_every_other_a_switch_ends_where_it_shall(lab: Mapping[str, Any]) -> None:
    first = First(lab)
    there = read_project(dict(lab), dict.fromkeys(lab["services"], "hash"))
    rules = with_project(first.rules, there)
    modes = [(name, profile) for name, mode in rules.modes.items() for profile in mode.choices]
    assert modes
    for way in [*permutations(modes, 2), *((one,) for one in modes)]:
        machine = SimulatedMachine(there, rules, SPARK)
        machine.ending = dict.fromkeys((name for name in there.services if first.class_of(name) == "one-shot"), 0)
        for name, profile in way:
            before = observer_of(machine).observe_all()
            plan = make_plan(to_mode(rules, name, profile), there, rules, before, SPARK)
            assert plan.refusal is None, f"{way}: {plan.refusal}"
            switch_on(machine).run(plan, before, True)
            assert current_mode(observer_of(machine).observe_all(), there, rules) == mode_text(rules, name, profile)
