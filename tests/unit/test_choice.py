"""The choice of what to stop, against brute force over all subsets of random labs."""

import os
from itertools import combinations
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from spark_mode.lab.project import Dependency, Project, Service
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Workload
from spark_mode.planning.budget import budget
from spark_mode.planning.conflicts import conflicts, exclusive, member
from spark_mode.planning.observed import Container, LoadedModel, Memory, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan
from spark_mode.planning.request import Request, UpRequest
from spark_mode.planning.resolve import resolve
from spark_mode.planning.target import members

LABS = int(os.environ.get("SPARK_MODE_LABS", "1000"))
CLASSES = ("red", "green", "blue")
"""Of which blue runs to its end."""
NAMES = [f"w{number:02}" for number in range(12)]


@st.composite
def labs(draw: st.DrawFn) -> tuple[Rules, Project, Observed, Request, int]:
    """Draw rules with up to 12 workloads, what of them runs, and a request."""
    names = NAMES[: draw(st.integers(2, 12))]
    sizes = st.integers(4, 16).map(lambda size: f"{size}GB")
    hosted = {name for name in names if draw(st.integers(0, 2)) == 0}
    workloads: dict[str, Any] = {
        name: {
            "class": draw(st.sampled_from((*CLASSES[:2], *CLASSES) if name not in hosted else CLASSES[:2])),
            "footprint": draw(sizes),
            "priority": draw(st.integers(0, 2)),
            "load_seconds": draw(st.integers(0, 3)),
            **({"model": name, "host": "host"} if name in hosted else {"service": name}),
        }
        for name in names
    }
    data = {
        "hardware": {"name": "random", "capacity": f"{draw(st.integers(40, 130))}GB"},
        "limits": {
            "fits_easily": "25GB",
            "fits": "80GB",
            "tight": f"{draw(st.integers(80, 110))}GB",
            "headroom": f"{draw(st.integers(5, 30))}GB",
            "floor": "2GB",
        },
        "overhead": {
            "system": "2GB",
            "per_class": f"{draw(st.integers(0, 5))}GB",
            "burst": {"cuda_context": {"low": "1GB", "high": "1GB"}, "kv_cache": {"low": "1GB", "high": "1GB"}},
        },
        "classes": {name: {"description": name, "runs_to_end": name == "blue"} for name in CLASSES},
        "workloads": workloads,
        "hosts": {"host": {"service": "host"}},
        "rules": draw(_rules(names)),
    }
    rules = Rules.model_validate(data)
    services = [name for name in names if name not in hosted]
    depends = {name: [other for other in services[:at] if draw(st.integers(0, 7)) == 0] for at, name in enumerate(services)}
    project = Project(
        name="lab",
        services={name: _service(name, depends.get(name, [])) for name in (*services, "host")},
    )
    there = {name for name in services[1:] if draw(st.integers(0, 4))}
    there = set(project.closure(sorted(there))) | ({"host"} if draw(st.integers(0, 3)) else set())
    models = [name for name in sorted(hosted) if "host" in there and draw(st.integers(0, 3))]
    loaded = tuple(LoadedModel(host="host", model=name, workload=name, size=GB) for name in models if draw(st.booleans()))
    observed = Observed(
        containers=tuple(_container(name, "running" if name in there else "exited") for name in (*services, "host")),
        models=tuple(models),
        loaded={"host": loaded} if "host" in there else {},
        memory=Memory(total=200 * GB, available=draw(st.integers(0, 130)) * GB),
        images={},
    )
    asked = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    return (
        rules,
        project,
        observed,
        UpRequest(names=tuple(asked), force=draw(st.booleans())),
        int(str(rules.hardware.capacity)),
    )


@st.composite
def _rules(draw: st.DrawFn, names: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if draw(st.booleans()):
        found.append({"exclusive": draw(st.lists(st.sampled_from(CLASSES), min_size=2, max_size=2, unique=True))})
    if draw(st.booleans()):
        found.append({"exclusive": draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True))})
    if len(names) > 2 and draw(st.booleans()):
        group = draw(st.lists(st.sampled_from(names), min_size=2, max_size=5, unique=True))
        found.append({"at_most": draw(st.integers(1, len(group) - 1)), "of": group})
    return [{"name": f"rule{at}", "because": "so it is", **rule} for at, rule in enumerate(found)]


def _service(name: str, needs: list[str]) -> Service:
    return Service(name=name, image=name, profiles=(name,), depends_on={need: Dependency() for need in needs}, config_hash="x")


def _container(name: str, state: str) -> Container:
    return Container(id=name, name=name, service=name, state=state, config_hash="x")


class BruteForce:
    """Every subset of what runs, judged by the rules, the dependencies, the budget and the memory one by one."""

    def __init__(self, rules: Rules, project: Project, observed: Observed, request: Request, capacity: int) -> None:
        self.rules, self.project, self.observed, self.request, self.capacity = rules, project, observed, request, capacity
        self.target = resolve(request, project, rules)
        self.wanted = members(self.target, rules)
        self.running = [*observed.active_services, *observed.models]
        self.others = [name for name in self.running if name not in (*self.target.services, *self.target.models)]

    def best(self) -> tuple[Any, frozenset[str]] | None:
        held = [name for name in self.others if self._is_long(name) and not self._is_excluded(name)]
        kept = {name for name in self.project.closure(held) if not self._is_excluded(name)}
        free = [name for name in self.others if name not in kept]
        choices = (frozenset(chosen) for count in range(len(free) + 1) for chosen in combinations(free, count))
        return min(((self._cost(gone), gone) for gone in choices if self._is_legal(gone)), default=None)

    def _workload(self, name: str) -> Workload | None:
        return self.rules.workloads.get(name)

    def _is_long(self, name: str) -> bool:
        one = self._workload(name)
        return one is not None and one.class_ == "blue"

    def _is_excluded(self, name: str) -> bool:
        return any(exclusive(self.rules, member(self.rules, name), other) for other in self.wanted)

    def _cost(self, gone: frozenset[str]) -> Any:
        found = [one for name in gone if (one := self._workload(name))]
        order = [name for name in self._ordered() if name in gone]
        early_kept = tuple(name in gone for name in self._ordered())
        return sum(one.priority for one in found), sum(one.load_seconds for one in found), len(order), early_kept

    def _ordered(self) -> list[str]:
        services = [name for name in self.rules.workloads if name in self.others and self.rules.workloads[name].service]
        models = [name for name in self.rules.workloads if name in self.others and self.rules.workloads[name].model]
        return [*services, *(["host"] if "host" in self.others else []), *models]

    def _is_legal(self, gone: frozenset[str]) -> bool:
        staying = [name for name in self.others if name not in gone]
        active = {*self.target.services, *staying}
        for name in staying:
            one = self._workload(name)
            needs = ["host"] if one and one.model else self.project.closure([name])
            if not set(needs) <= active:
                return False
        if next(conflicts(self.rules, [*self.wanted, *(member(self.rules, name) for name in staying)]), None):
            return False
        return self._fits(staying)

    def _fits(self, staying: list[str]) -> bool:
        rules, observed = self.rules, self.observed
        new = [name for name in self.target.services if name not in observed.active_services]
        adds = new or [name for name in self.target.models if name not in observed.models]
        if not adds:
            return True
        named = {*staying, *self.target.services, *self.target.models}
        workloads = [one for name, one in rules.workloads.items() if name in named]
        verdict = budget(workloads, rules, self.capacity).memory
        if verdict == "does-not-fit" or (verdict == "oom-risk" and not self.request.force):
            return False
        unloaded = [one for one in workloads if one.model and not observed.holds(one)]
        taking = sum(one.footprint.planned for one in workloads if one.service in new) + sum(
            one.footprint.planned for one in unloaded
        )
        gone = [one for name in self.others if name not in named and (one := self._workload(name))]
        back = sum(one.footprint.planned for one in gone if not one.model or observed.holds(one))
        reserve = rules.limits.floor if self.request.force else rules.limits.headroom
        return (observed.memory.available or 0) + back >= taking + reserve


def stopped(made: Plan, observed: Observed) -> frozenset[str]:
    """Return what is gone after a plan: services, and models that were admitted."""
    kept = {*(made.keep or ()), *made.target}
    services = [name for name in observed.active_services if name not in kept]
    return frozenset([*services, *(name for name in observed.models if name not in made.models)])


@settings(max_examples=LABS, deadline=None)
@given(labs())
def test_what_a_plan_stops_is_what_trying_every_subset_finds(lab: tuple[Rules, Project, Observed, Request, int]) -> None:
    rules, project, observed, request, capacity = lab
    best = BruteForce(*lab).best()
    made = plan(request, project, rules, observed, capacity)
    event("possible" if best else "impossible")
    if best is None:
        assert made.refusal is not None
        return
    event(f"stops {len(best[1])}")
    assert made.refusal is None, made.refusal
    assert stopped(made, observed) == best[1]
