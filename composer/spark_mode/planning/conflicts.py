"""What may not be active together: the one place that reads the rules' `exclusive` and `at_most`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from spark_mode.lab.by_nature import is_label_by_nature, labels_by_nature
from spark_mode.lab.rules import AtMost, Exclusive, Rules


class Member(NamedTuple):
    """A service or model and all the names under which rules speak of it: its own, its class, and by nature its service.

    `workload` is the one that it is. A host is none: it stands for every model that it may serve, because any client
    can load any of them at any time. `host` is the one that it is, or that serves it.
    """

    name: str
    labels: frozenset[str]
    workload: str | None = None
    serves: tuple[str, ...] = ()
    host: str | None = None

    @property
    def is_host(self) -> bool:
        """Whether it stands for the models that it may serve."""
        return self.workload is None and self.host is not None


class Conflict(NamedTuple):
    """Two members that a rule keeps apart; of an at-most rule the first, and the first that is too many.

    `counted` are all whom an at-most rule counts.
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
        """Whether it is about an active member: one of its sides, the same workload under another name, or their host."""
        if self.counted and member.workload:
            return member.workload in {one.workload for one in self.counted}
        if self.counted and member.is_host:
            return member.host in {one.host for one in self.counted}
        return member in self.sides


def member(rules: Rules, name: str) -> Member:
    """Return what a service, host or workload stands for; of one that rules.yaml does not describe only nature is known."""
    if host := rules.host_of_service(name) or rules.daemon(name):
        models = rules.models_of_host(host)
        labels = frozenset(label for model in models for label in (model.name, model.class_))
        labels |= labels_by_nature(rules.hosts[host].service, rules)
        return Member(name=name, labels=labels, serves=tuple(model.name for model in models), host=host)
    workload = rules.of_service(name) or rules.workloads.get(name)
    if workload is None:
        return Member(name=name, labels=labels_by_nature(name, rules))
    served_by = rules.hosts.get(workload.host or "")
    service = workload.service or (served_by.service if served_by else None)
    labels = frozenset({workload.name, workload.class_}) | labels_by_nature(service, rules)
    return Member(name=name, labels=labels, workload=workload.name, host=workload.host)


def foreign_member(rules: Rules, name: str) -> Member:
    """Return what a foreign container stands for: its name and its ports are not those that the lab's files say."""
    one = member(rules, name)
    return one._replace(labels=frozenset(label for label in one.labels if not is_label_by_nature(label)))


def exclusive(rules: Rules, one: Member, other: Member) -> Conflict | None:
    """Return the first rule of rules.yaml by which two members are never active together, or None.

    A host is never excluded beside its own models, for which it stands, nor a workload beside itself under another name.
    """
    if one.name == other.name or (one.workload and one.workload == other.workload):
        return None
    if one.host and one.host == other.host and (one.is_host or other.is_host):
        return None
    for rule in rules.rules:
        if isinstance(rule, Exclusive):
            ours, theirs = (one.labels.intersection(rule.exclusive), other.labels.intersection(rule.exclusive))
            if ours and theirs and len(ours | theirs) > 1:
                return Conflict(rule=rule, one=one, other=other)
    return None


def exclusive_there(rules: Rules, one: Member, other: Member) -> Conflict | None:
    """Return the rule by which two that are both active already, and not asked for, exclude each other.

    Two models of one host never do: any client may load either of them at any time, so a request that has nothing to do
    with them would drop one in vain.
    """
    return None if one.host and one.host == other.host else exclusive(rules, one, other)


def counted_by(rule: AtMost, wanted: Iterable[Member], there: Iterable[Member] = ()) -> tuple[Member, ...]:
    """Return whom an at-most rule counts of what is `wanted` and what is merely `there`, in the rule's order.

    A workload counts once, whatever its containers are called, and a host of which no model counts for the one that it
    may load at any time. While nothing is wanted that the rule counts, the models of one host count as that one.
    """
    asked = [one for one in wanted if one.labels.intersection(rule.of)]
    found: dict[tuple[str, str], Member] = {}
    for one in (*asked, *(other for other in there if other.labels.intersection(rule.of))):
        alike = one.host if one.host and (one.is_host or not asked) else None
        found.setdefault(("host", alike) if alike else ("workload", one.workload or one.name), one)
    served = {one.host for one in found.values() if not one.is_host}
    counted = (one for one in found.values() if not (one.is_host and one.host in served))
    return tuple(sorted(counted, key=lambda one: min(rule.of.index(label) for label in one.labels if label in rule.of)))


def at_most_conflicts(rules: Rules, wanted: Sequence[Member], there: Sequence[Member] = ()) -> Iterator[Conflict]:
    """Yield what breaks the rules' `at_most`."""
    for rule in rules.rules:
        if isinstance(rule, AtMost):
            counted = counted_by(rule, wanted, there)
            if len(counted) > rule.at_most:
                yield Conflict(rule=rule, one=counted[0], other=counted[rule.at_most], counted=counted)


def conflicts(rules: Rules, wanted: Iterable[Member], there: Iterable[Member] = ()) -> Iterator[Conflict]:
    """Yield what keeps apart what is wanted, and what is `there` already beside it, in the order of the members."""
    asked, found = tuple(wanted), tuple(there)
    spoken_of = {name for rule in rules.rules if isinstance(rule, Exclusive) for name in rule.exclusive}
    everyone = [(at < len(asked), one) for at, one in enumerate((*asked, *found)) if one.labels & spoken_of]
    for (is_asked, one), (is_other, other) in combinations(everyone, 2):
        if hit := exclusive(rules, one, other) if is_asked or is_other else exclusive_there(rules, one, other):
            yield hit
    yield from at_most_conflicts(rules, asked, found)


def conflict_of(rules: Rules, new: Sequence[Member], wanted: Sequence[Member], there: Sequence[Member]) -> Conflict | None:
    """Return the first conflict that these have with each other, with what is wanted or with what is `there`."""
    strict = (hit for other in wanted for one in new if (hit := exclusive(rules, other, one)))
    lenient = (hit for other in (*there, *new) for one in new if (hit := exclusive_there(rules, other, one)))
    crowds = (hit for hit in at_most_conflicts(rules, wanted, [*there, *new]) if any(map(hit.concerns, new)))
    return next(strict, None) or next(lenient, None) or next(crowds, None)


def conflict_with(rules: Rules, one: Member, wanted: Sequence[Member], there: Sequence[Member] = ()) -> Conflict | None:
    """Return why one has no place beside what is wanted, and what is `there` in any case; None where it has."""
    pairs = (hit for other in wanted if (hit := exclusive(rules, one, other)))
    crowds = (hit for hit in at_most_conflicts(rules, wanted, [*there, one]) if hit.concerns(one))
    return next(pairs, None) or next((hit for hit in crowds if any(map(hit.concerns, wanted))), None)
