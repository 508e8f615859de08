"""A case of tests/cases/plans: a lab, what is seen of it, what is asked, and all that the planner says to that.

A file has `cases`, and a `lab` where they are not about the shipped one. What a case leaves out is ordinary: nothing runs,
each service has a stopped container as the files say it should be, every image is built, 100 GB are free.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from spark_mode.errors import SparkModeError
from spark_mode.frozen import Frozen
from spark_mode.lab.document import parse_document
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignWorkload
from spark_mode.planning.observed import Hold, LoadedModel, Made, Memory, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan
from spark_mode.planning.request import Request
from spark_mode.switching.admitted import refuse
from tests.audio_lab import CASES, RULES, RULES_TEXT, container, request, resolved, rules_of

COMPOSE = "2.40.3"
SHIPPED: dict[str, Any] = resolved()
SHIPPED_RULES: dict[str, Any] = parse_document(RULES_TEXT, "rules.yaml")
EXACTLY = frozenset({"plan", "exit", "hint", "warnings"})
WHERE_GIVEN = frozenset({"keep", "preempted", "asks_about", "total", "memory"})
HEALTH = ("unhealthy", "starting")
"""What `SERVICE/…` may say beside the states of a container: it runs, and Docker says this of its health."""


class _Written(Frozen):
    """Frozen, and refuses a key that nothing reads: a mistyped expectation would hold for ever."""

    model_config = ConfigDict(extra="forbid")


class Lab(_Written):
    """Another lab than the shipped one: its Compose services, and its rules; those of the machine are the shipped file's."""

    services: dict[str, dict[str, Any]]
    rules: dict[str, Any]


class Part(_Written):
    """A network or volume: what the files define now, and what version `by` of Compose `made` of it, if anything."""

    defined: str
    made: str | None = None
    by: str = COMPOSE


class Foreign(_Written):
    """A container that is not the lab's, and the workload that it is."""

    container: str
    is_: str = Field(alias="is")
    state: str = "running"
    project: str | None = None
    variant: str | None = None


class Before(_Written):
    """What `restore` brings back."""

    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)


class PlanCase(_Written):
    """A case as it is written; sizes in GB.

    `plan` is `str(plan)`, or the message of what is raised. It, the exit code, the hint and the warnings must be exactly
    so; the rest of the answer is compared where a case gives it.
    """

    name: str
    lab: Lab | None = None
    services: dict[str, dict[str, Any]] = Field(default_factory=dict, description="laid over the Compose file")
    rules: dict[str, Any] = Field(default_factory=dict, description="laid over rules.yaml")

    engine: bool = Field(default=True, description="whether one was asked")
    running: tuple[str, ...] = Field(default=(), description="active: SERVICE, SERVICE:VARIANT, SERVICE/STATE or SERVICE/HEALTH")
    missing: tuple[str, ...] = Field(default=(), description="services that have no container")
    differ: dict[str, dict[str, Any]] = Field(default_factory=dict, description="what is not ordinary of a service's container")
    also: tuple[dict[str, Any], ...] = Field(default=(), description="more containers")
    models: tuple[str, ...] = Field(default=(), description="admitted before")
    loaded: dict[str, tuple[str, ...] | None] = Field(default_factory=dict, description="by host; null: it does not say")
    absent: tuple[str, ...] = Field(default=(), description="hosts where nobody listens")
    foreign: tuple[Foreign, ...] = ()
    held: tuple[Hold, ...] = ()
    free: float | None = Field(default=100, description="MemAvailable; null: unknown")
    free_without_cache: float | None = None
    machine: float | None = Field(default=128, description="MemTotal")
    no_image: tuple[str, ...] = Field(default=(), description="services whose image is not there")
    gpu_runtime: bool = True
    networks: dict[str, Part] = Field(default_factory=dict)
    volumes: dict[str, Part] = Field(default_factory=dict)
    gone_networks: tuple[str, ...] = Field(default=(), description="of those in `networks` of what `differ`s")

    ask: str
    before: Before = Before()

    plan: str
    exit: int = 0
    hint: str | None = None
    warnings: tuple[str, ...] = ()
    keep: tuple[str, ...] | None = None
    preempted: dict[str, str] | None = Field(default=None, description="by name: mode, memory, or the rule that excludes it")
    asks_about: tuple[str, ...] | None = Field(default=None, description="the training whose stop is asked about")
    total: float | None = None
    memory: str | None = None

    @property
    def expected(self) -> dict[str, object]:
        """What the case says that must come of it."""
        compared = EXACTLY | (WHERE_GIVEN & self.model_fields_set)
        return {key: getattr(self, key) for key in compared} | {"plan": self.plan.rstrip("\n")}

    @property
    def asked(self) -> dict[str, object]:
        """All of the case but its name and what must come of it."""
        return self.model_dump(exclude={"name", *EXACTLY, *WHERE_GIVEN})

    def answer(self) -> dict[str, object]:
        """Return what the planner says, in the same words as `expected`."""
        project = self._project()
        rules = with_project(self._rules(), project)
        capacity = rules.hardware.capacity
        assert isinstance(capacity, int)
        try:
            made = plan(self._request(rules), project, rules, self._observed(project, rules), capacity)
        except SparkModeError as fault:
            return {"plan": fault.message, "exit": fault.exit_code, "hint": fault.hint, "warnings": ()}
        return {key: _answer(made)[key] for key in self.expected}

    def _project(self) -> Project:
        files = {"name": "audio-lab", "services": self.lab.services} if self.lab else SHIPPED
        files = _laid_over(files, {"services": self.services})
        project = read_project(files, {name: f"hash of {name}" for name in files["services"]}, COMPOSE)
        parts = {kind: {name: part.defined for name, part in getattr(self, kind).items()} for kind in ("networks", "volumes")}
        return project.model_copy(update=parts)

    def _rules(self) -> Rules:
        if self.lab is None and not self.rules:
            return RULES
        of_machine = {key: SHIPPED_RULES[key] for key in ("hardware", "limits", "overhead")}
        data = of_machine | self.lab.rules if self.lab else SHIPPED_RULES
        return _rules_of(json.dumps(_laid_over(data, self.rules)))  # JSON is YAML

    def _request(self, rules: Rules) -> Request:
        words = [word for word in self.ask.split() if word not in ("--force", "--drop-caches")]
        asked = request(" ".join(words), rules, force="--force" in self.ask, drop_caches="--drop-caches" in self.ask)
        if asked.verb != "restore":
            return asked
        before = self.before
        return asked.model_copy(update={"names": before.services, "extra": before.models, "variants": before.variants})

    def _observed(self, project: Project, rules: Rules) -> Observed:
        if not self.engine:
            return Observed(complete=False, memory=self._memory())
        loaded = dict.fromkeys(self.absent, ()) | {host: _models(host, names, rules) for host, names in self.loaded.items()}
        known = [one.workload for on_host in loaded.values() for one in on_host or () if one.workload]
        images = [one.image for name, one in project.services.items() if one.image and name not in self.no_image]
        return Observed(
            containers=tuple(sorted(self._containers(project), key=lambda one: one.name)),
            foreign=tuple(_foreign(one) for one in self.foreign),
            models=tuple(dict.fromkeys([*self.models, *known])),
            loaded=loaded,
            absent=self.absent,
            memory=self._memory(),
            gpu_runtime=self.gpu_runtime,
            images={name: f"id of {name}" for name in images},
            networks=_made(self.networks),
            volumes=_made(self.volumes),
            gone_networks=self.gone_networks,
            held=self.held,
        )

    def _containers(self, project: Project) -> list[Container]:
        there = {one.partition("/")[0].partition(":")[0]: one for one in self.running}
        stopped = {name: f"{name}/exited" for name in project.services if name not in self.missing}
        assert {*self.missing, *self.no_image} <= {*project.services} and {*self.differ} <= {*stopped, *there}
        usual = [self._container(one, project, self.differ.get(name, {})) for name, one in (stopped | there).items()]
        return usual + [self._container(one.get("service") or "", project, {"id": one["name"], **one}) for one in self.also]

    def _container(self, subject: str, project: Project, more: dict[str, Any]) -> Container:
        assert {*more} <= {*Container.model_fields}
        name, _, state = subject.partition("/")
        health = {"health": state} if state in HEALTH else {}
        service = project.services.get(name.partition(":")[0])
        made = {"stop_seconds": int(service.stop_grace_seconds), "image_id": f"id of {service.image}"} if service else {}
        return container(name if health else subject, **(made | health | more))

    def _memory(self) -> Memory:
        sizes = {"total": self.machine, "available": self.free, "free": self.free_without_cache}
        return Memory.model_validate({name: None if size is None else round(size * GB) for name, size in sizes.items()})


def read_plan_cases(folder: Path = CASES / "plans") -> dict[str, list[PlanCase]]:
    """Return the cases of all files, in order, by the names of these."""
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        data = parse_document(file.read_text(), file.name)
        lab = {"lab": data["lab"]} if "lab" in data else {}
        found[file.stem] = [PlanCase.model_validate(lab | case) for case in data["cases"]]
    return found


_rules_of = cache(rules_of)
"""Reads the rules of a lab once, which most cases of a file have in common."""


def _answer(made: Plan) -> dict[str, object]:
    return {
        "plan": str(made),
        "exit": refuse(made.refusal).exit_code if made.refusal else 0,
        "hint": made.refusal.hint if made.refusal else None,
        "warnings": made.warnings,
        "keep": made.keep,
        "preempted": None if made.preemptions is None else {one.name: one.rule or one.reason for one in made.preemptions},
        "asks_about": tuple(one.name for one in made.stops_training),
        "total": made.budget.total / GB,
        "memory": made.budget.memory,
    }


def _laid_over(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping with another laid over it, key by key; what is no mapping is replaced."""
    merged = {
        key: _laid_over(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in more.items()
    }
    return base | merged


def _models(host: str, names: tuple[str, ...] | None, rules: Rules) -> tuple[LoadedModel, ...] | None:
    """Return what a host has loaded: workloads by their names, and models that no workload describes."""
    if names is None:
        return None
    known = {name: rules.workloads[name].model for name in names if name in rules.workloads}
    return tuple(
        LoadedModel(host=host, model=known.get(name) or name, size=GB, workload=name if name in known else None) for name in names
    )


def _foreign(one: Foreign) -> ForeignWorkload:
    seen = Container(id=f"id of {one.container}", name=one.container, state=one.state, variant=one.variant)
    return ForeignWorkload(name=one.is_, container=seen, project=one.project)


def _made(parts: dict[str, Part]) -> dict[str, Made]:
    return {name: Made(config_hash=part.made, compose=part.by) for name, part in parts.items() if part.made}
