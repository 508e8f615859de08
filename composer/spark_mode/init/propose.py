"""A first rules.yaml as data: workloads with their sizes, hosts, modes and rules, each with what it rests on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from spark_mode.init.answers import NOTHING, Answers
from spark_mode.init.fit import Need
from spark_mode.init.modes import ProposedModes, propose_modes
from spark_mode.init.sizing import UNKNOWN, Size, why_unknown
from spark_mode.init.survey import Survey
from spark_mode.init.tables import SUPPORT, TRAINING
from spark_mode.lab.rules import WITHOUT_GPU


class ProposedWorkload(NamedTuple):
    """A workload as rules.yaml has it; a `model` has its `host`.

    Where `known` is False its size is the whole machine's, for want of evidence.
    """

    name: str
    class_: str
    size: Size
    known: bool = True
    model: str | None = None
    host: str | None = None


class ProposedRule(NamedTuple):
    """A rule of rules.yaml: members that exclude each other, or of which one may run at a time."""

    kind: str
    members: tuple[str, ...]
    because: str


class Proposal(NamedTuple):
    """All that the file says. `needs` are the models of each profile, `limits` those that were raised, in bytes by key."""

    workloads: tuple[ProposedWorkload, ...]
    hosts: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    rules: tuple[ProposedRule, ...]
    modes: ProposedModes
    limits: Mapping[str, int]
    alone_in_project: bool

    @property
    def long_class(self) -> bool:
        """Whether there is a class that runs to its end."""
        return any(one.class_ == TRAINING for one in self.workloads)


def propose(seen: Survey, answers: Answers = NOTHING) -> Proposal:
    """Return what a first rules.yaml says of a project; what was answered of its services is in what is `seen` already."""
    workloads = (*_services(seen), *_models(seen))
    return Proposal(
        workloads=workloads,
        hosts=tuple(seen.models),
        needs=dict(_needs(seen)),
        rules=tuple(_rules(seen, workloads, answers)),
        modes=propose_modes(seen),
        limits=answers.limits,
        alone_in_project=all(one.scope == "project" for one in seen.project.services.values()),
    )


def _services(seen: Survey) -> Iterator[ProposedWorkload]:
    for name, size in seen.sizes.items():
        whole = seen.planned(name)
        said = size or Size(whole, whole, whole, why_unknown(seen.placed[name].traces))
        yield ProposedWorkload(name, seen.placed[name].class_, _of_each(seen, name, said), known=size is not None)
    for name in seen.replicated:
        little = WITHOUT_GPU.planned
        yield ProposedWorkload(name, SUPPORT, _of_each(seen, name, Size(little, little, little, "without a GPU")))


def _of_each(seen: Survey, name: str, size: Size) -> Size:
    count = seen.count(name)
    return size._replace(evidence=f"{size.evidence}; of each, and Compose starts {count}") if count > 1 else size


def _models(seen: Survey) -> Iterator[ProposedWorkload]:
    for host, models in seen.models.items():
        whole = seen.room.alone(seen.helpers(seen.mates(host)))
        for one in models:
            why = UNKNOWN if one.named else f"stands for what {host} may load: name its models here"
            size = one.size or Size(whole, whole, whole, why)
            yield ProposedWorkload(
                one.name, seen.placed[host].class_, size, known=one.size is not None, model=one.model, host=host
            )


def _needs(seen: Survey) -> Iterator[tuple[str, tuple[str, ...]]]:
    for profile in seen.project.profiles:
        if models := seen.needed_models(seen.project.of_profile(profile)):
            yield profile, models


def _rules(seen: Survey, workloads: Sequence[ProposedWorkload], answers: Answers) -> Iterator[ProposedRule]:
    long = [one for one in workloads if one.class_ == TRAINING]
    others = [one for one in workloads if one.class_ not in (TRAINING, SUPPORT)]
    named = {one.name for models in seen.models.values() for one in models if one.named} | seen.sizes.keys()
    names = " and ".join(one.name for one in long)
    for class_ in dict.fromkeys(one.class_ for one in others) if long else ():
        verb = "runs to its end and keeps" if len(long) == 1 else "run to their end and keep"
        yield ProposedRule("exclusive", (TRAINING, class_), f"{names} {verb} the GPU busy: what runs beside it stalls")
    for several in ([one for one in others if one.name in named], long):
        yield from _one_at_a_time(seen, several)
    for pair in answers.apart:
        yield ProposedRule("exclusive", pair, "you said so when this file was written")


def _one_at_a_time(seen: Survey, workloads: Sequence[ProposedWorkload]) -> Iterator[ProposedRule]:
    needs = [Need(one.name, one.class_, one.size.planned * seen.count(one.name)) for one in workloads]
    if members := seen.room.too_large_for_each_other(needs):
        order = [one.name for one in workloads if one.name in members]
        ports = [seen.placed[one].traces.ports if one in seen.placed else () for one in order]
        shared = sorted(set.intersection(*map(set, ports)))
        also = f", and all publish port {', '.join(shared)}" if shared else ""
        yield ProposedRule("at_most", tuple(order), f"no two of them fit into the memory together{also}")
