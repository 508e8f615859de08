"""What the machine has, what of it is taken, what could be added now, and who may share it: the data of the map."""

from collections.abc import Iterator

from spark_mode.errors import EngineUnavailable, SparkModeError
from spark_mode.frozen import Frozen
from spark_mode.lab.rules import Alternate, AtMost, Careful, Exclusive, Rules
from spark_mode.lab.size import gb
from spark_mode.planning.budget import overhead
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.request import UpRequest
from spark_mode.reporting.gpu_load import GpuLoad, gpu_load
from spark_mode.session.session import Session


class Item(Frozen):
    """A workload on the map, with the bytes that it is planned with."""

    name: str
    planned: int


class Addition(Frozen):
    """Something that could be added, and what would have to stop for it; `verdict` is that of the budget then."""

    name: str
    planned: int
    stops: tuple[str, ...]
    verdict: str


class Sharing(Frozen):
    """A rule as people read it: who, how, why and what to do about it."""

    who: str
    how: str
    because: str
    advice: str | None = None


class Resources(Frozen):
    """The map. Sizes in bytes; `mode` is `unknown` and `running` empty where no engine answers."""

    machine: str
    capacity: int
    memory: Memory
    system: int
    per_class: int
    headroom: int
    mode: str
    running: tuple[Item, ...]
    overhead: int
    addable: tuple[Addition, ...]
    sharing: tuple[Sharing, ...]
    facts: dict[str, str]
    gpu: GpuLoad = GpuLoad()

    def as_json(self) -> dict[str, object]:
        """Return the JSON form; sizes in GB."""
        total, available = self.memory.total, self.memory.available
        return {
            "machine": self.machine,
            "capacity_gb": gb(self.capacity),
            "memory": {
                "total_gb": None if total is None else gb(total),
                "available_gb": None if available is None else gb(available),
            },
            "overhead_gb": gb(self.overhead),
            "headroom_gb": gb(self.headroom),
            "mode": self.mode,
            "running": [{"name": one.name, "planned_gb": gb(one.planned)} for one in self.running],
            "addable": [
                {"name": one.name, "planned_gb": gb(one.planned), "stops": list(one.stops), "memory": one.verdict}
                for one in self.addable
            ],
            "sharing": [one.model_dump() for one in self.sharing],
            "facts": self.facts,
            "gpu": self.gpu.as_json(),
        }


def resources(session: Session) -> Resources:
    """Look, and return the map; without an engine it has what rules.yaml says and the machine's memory."""
    rules = session.rules
    try:
        observed = session.observe()
    except EngineUnavailable:
        observed = Observed(complete=False, memory=session.machine.memory())
    active = observed.workloads(rules)
    return Resources(
        machine=rules.hardware.name,
        capacity=session.capacity,
        memory=observed.memory,
        system=rules.overhead.system,
        per_class=rules.overhead.per_class,
        headroom=rules.limits.headroom,
        mode=session.mode(observed),
        running=tuple(Item(name=one.label, planned=one.footprint.planned) for one in active),
        overhead=overhead(active, rules),
        addable=tuple(_addable(session, observed)) if observed.complete else (),
        sharing=tuple(sharing(rules)),
        facts=rules.hardware.facts,
        gpu=gpu_load(session.gpu.read()),
    )


def _addable(session: Session, observed: Observed) -> Iterator[Addition]:
    active = {one.name for one in observed.workloads(session.rules)}
    for name, workload in session.rules.workloads.items():
        if name in active:
            continue
        try:
            made = session.plan_for(UpRequest(names=(name,)), observed)
        except SparkModeError:
            continue  # rules.yaml knows it and the Compose files do not: `check` says so
        if made.refusal is None:
            yield Addition(name=name, planned=workload.footprint.planned, stops=_stops(made), verdict=made.budget.memory)


def _stops(made: Plan) -> tuple[str, ...]:
    return tuple(one.name for one in made.preemptions or ())


def sharing(rules: Rules) -> Iterator[Sharing]:
    """Yield the rules as people read them."""
    for rule in rules.rules:
        match rule:
            case Exclusive():
                who, how = " and ".join(rule.exclusive), "never together"
            case AtMost():
                who, how = ", ".join(rule.of), f"at most {rule.at_most} at a time"
            case Careful():
                who, how = " and ".join(rule.careful), "together, with care"
            case Alternate():
                who, how = " and ".join(rule.alternate), "loaded together, used in turn"
        yield Sharing(who=who, how=how, because=rule.because, advice=rule.advice)
