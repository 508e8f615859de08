"""What may not be active together: the one place that reads the rules' `exclusive` and `at_most`."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from spark_mode.lab.rules import AtMost, Exclusive, Rules


class Member(NamedTuple):
    """A service or model and all the names under which rules speak of it: its own and its class.

    `workload` is the one that it is. A host is none: it stands for every model that it may serve, because any client
    can load any of them at any time.
    """

    name: str
    labels: frozenset[str]
    workload: str | None = None
    serves: tuple[str, ...] = ()


class Conflict(NamedTuple):
    """Two members that a rule keeps apart; of an at-most rule the first, and the first that is too many.

    `sides` are all that it is about: the two, or everybody whom an at-most rule counts.
    """

    rule: Exclusive | AtMost
    one: Member
    other: Member
    counted: tuple[Member, ...] = ()

    @property
    def sides(self) -> tuple[Member, ...]:
        """Those of whom one has to go."""
        return self.counted or (self.one, self.other)

    def __str__(self) -> str:
        return f"{self.one.name} and {self.other.name} exclude each other ({self.rule.because})"

    def concerns(self, member: Member) -> bool:
        """Whether it is about an active member: one of its sides, or the same workload under another name."""
        return member in self.sides or member.workload in {one.workload for one in self.counted}


def member(rules: Rules, name: str) -> Member:
    """Return what a service, host or workload stands for; one that rules.yaml does not describe has no labels."""
    if host := rules.host_of_service(name) or rules.daemon(name):
        models = rules.models_of_host(host)
        labels = frozenset(label for model in models for label in (model.name, model.class_))
        return Member(name=name, labels=labels, serves=tuple(model.name for model in models))
    workload = rules.of_service(name) or rules.workloads.get(name)
    if workload is None:
        return Member(name=name, labels=frozenset())
    return Member(name=name, labels=frozenset({workload.name, workload.class_}), workload=workload.name)


def exclusive(rules: Rules, one: Member, other: Member) -> Conflict | None:
    """Return the first rule of rules.yaml by which two members are never active together, or None."""
    for rule in rules.rules:
        if isinstance(rule, Exclusive) and one.name != other.name:
            ours, theirs = (set(rule.exclusive) & side.labels for side in (one, other))
            if any(x != y for x in ours for y in theirs):
                return Conflict(rule=rule, one=one, other=other)
    return None


def broken_at_most_rules(rules: Rules, names: Iterable[str]) -> Iterator[tuple[AtMost, tuple[str, ...]]]:
    """Yield each `at_most` rule that these workloads break, with the members among them in the rule's order."""
    present = set(names)
    for rule in rules.rules:
        if isinstance(rule, AtMost):
            members = tuple(name for name in rule.of if name in present)
            if len(members) > rule.at_most:
                yield rule, members


def conflicts(rules: Rules, members: Iterable[Member]) -> Iterator[Conflict]:
    """Yield what keeps these members apart, in the order of the members."""
    everyone = tuple(members)
    spoken_of = {name for rule in rules.rules if isinstance(rule, Exclusive) for name in rule.exclusive}
    for one, other in combinations([one for one in everyone if one.labels & spoken_of], 2):
        if found := exclusive(rules, one, other):
            yield found
    by_workload = {one.workload: one for one in everyone if one.workload}
    for rule, names in broken_at_most_rules(rules, by_workload):
        counted = tuple(by_workload[name] for name in names)
        yield Conflict(rule=rule, one=counted[0], other=counted[rule.at_most], counted=counted)
