"""Projects in Compose's own resolved form, and what `init` makes of them on a Spark."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from spark_mode.init.propose import Proposal, propose
from spark_mode.init.survey import Machine, Survey, survey
from spark_mode.init.written import written
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules

SPARK = 127_600_748 * 1024
"""MemTotal of a DGX Spark, in bytes."""
CASES = Path(__file__).parents[1] / "cases/first"
GPU = {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}}}


def read_back(text: str) -> Rules:
    """Return the rules that a file is on a Spark."""
    return read_rules(text, "rules.yaml", lambda _: "", lambda: SPARK)


def spark(**known: Any) -> Machine:
    """Return a Spark that knows nothing but this."""
    return Machine(SPARK, read_back("workloads: {}\n"), **known)


def case(name: str) -> dict[str, Any]:
    """Return a project of tests/cases/first."""
    found: dict[str, Any] = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return found


def project(**services: Mapping[str, Any]) -> dict[str, Any]:
    """Return a project of these services."""
    return {"name": "made-up", "services": {name: dict(one) for name, one in services.items()}}


def gpu(**service: Any) -> dict[str, Any]:
    """Return a service that reserves a GPU."""
    return {**GPU, **service}


class First:
    """What is seen of a project, what is proposed, and what the written file comes to."""

    def __init__(self, resolved: Mapping[str, Any], machine: Machine | None = None) -> None:
        self.machine = machine or spark()
        self.seen: Survey = survey(resolved, self.machine)
        self.proposal: Proposal = propose(self.seen)
        self.text = written(self.proposal)
        self.rules = read_back(self.text)

    def gb(self, name: str) -> tuple[float, float, float]:
        """Return what is planned for a workload and its range, in GB, as the file has it."""
        one = self.rules.workloads[name].footprint
        return one.planned / 10**9, one.low / 10**9, one.high / 10**9

    def evidence(self, name: str) -> str:
        """Return what the size of a workload rests on."""
        return next(one.size.evidence for one in self.proposal.workloads if one.name == name)

    def class_of(self, name: str) -> str:
        """Return what a service is: its class, or one-shot."""
        one = self.seen.placed[name]
        return "one-shot" if one.one_shot else one.class_
