"""What must stop, found by trying every subset of what runs. It shares no code with the planner, and says its rules anew.

It reads the plain data of a lab. Sizes are in GB.
"""

from collections.abc import Collection, Iterable
from functools import cached_property
from itertools import chain, combinations, permutations
from typing import Any

from tests.random_labs import RandomLab

Names = frozenset[str]


class BruteForce:
    """One lab and one request. Services and models go by their names, which are all different."""

    def __init__(self, lab: RandomLab) -> None:
        self.lab, self.rules, self.workloads = lab, lab.rules, lab.rules["workloads"]
        self.by_service = {one["service"]: name for name, one in self.workloads.items() if "service" in one}
        self.models = {name: one["host"] for name, one in self.workloads.items() if "host" in one}
        self.asked, self.with_, self.force = self._words()

    def best(self) -> Names | None:
        """Return what stops and is unloaded, or None where nothing legal leads to what is asked for."""
        if self._is_hopeless():
            return None
        return min(filter(self._is_legal, self._subsets()), key=self._cost, default=None)

    def _words(self) -> tuple[list[str], list[str], bool]:
        words, extra = self.lab.ask.split(), list[str]()
        force = "--force" in words
        while "--with" in words:
            at = words.index("--with")
            extra.append(words[at + 1])
            del words[at : at + 2]
        return [word for word in words if word != "--force"], extra, force

    # What is asked for

    def closure(self, names: Iterable[str]) -> set[str]:
        """Return services with all that they depend on."""
        found = set(names)
        while more := set(chain.from_iterable(self.lab.services[name]["depends_on"] for name in found)) - found:
            found |= more
        return found

    def needs(self, name: str) -> set[str]:
        """Return the services without which something cannot run."""
        if name in self.models:
            host = self.rules["hosts"][self.models[name]].get("service")
            return self.closure([host] if host else [])
        return self.closure([name]) - {name}

    @cached_property
    def wanted_models(self) -> set[str]:
        if self.asked[0] == "restore":
            return {name for name in self.lab.before if name in self.models}
        named = {name for name in (*self.asked[1:], *self.with_) if name in self.models}
        profiles = [self.rules["profiles"].get(name, {}) for name in (self.mode or {}).get("profiles", [])]
        return named.union(*(profile.get("models", []) for profile in profiles))

    @cached_property
    def mode(self) -> dict[str, Any] | None:
        """The mode that is asked for; those here have one profile, or services."""
        found: dict[str, Any] | None = self.rules["modes"].get(self.asked[0])
        return found

    @cached_property
    def named(self) -> set[str]:
        """The services that are asked for, with what they need."""
        if self.asked[0] == "restore":
            return self.closure(name for name in self.lab.before if name in self.lab.services)
        words, mode = [*(self.asked[1:] if self.asked[0] == "up" else ()), *self.with_], self.mode or {}
        own = {self.workloads[name]["service"] for name in words if "service" in self.workloads[name]}
        hosts = {self.rules["hosts"][self.models[name]].get("service") for name in self.wanted_models}
        profile = {name for name, one in self.lab.services.items() if set(mode.get("profiles", [])) & set(one["profiles"])}
        return self.closure(own | profile | set(mode.get("services", [])) | (hosts - {None}))

    @cached_property
    def target(self) -> set[str]:
        """The services that shall run: of those without a profile, which come with every mode, what the rules let."""
        if not self.mode:
            return self.named
        of_modes = set(chain.from_iterable(mode.get("services", []) for mode in self.rules["modes"].values()))
        base = [name for name, one in self.lab.services.items() if not one["profiles"] and name not in of_modes]
        asked, came, left = self._members(self.named), set[str](), set[str]()
        for name in self._needed_first(base):
            if name in self.named:
                continue
            excluded = any(self._excludes(name, other) for other in asked)
            crowded = any(self._counts(rule, name) and self._count(rule, asked, came | {name}) > rule["at_most"]
                          for rule in self._at_most if any(self._counts(rule, other) for other in asked))  # fmt: skip
            if self.needs(name) & left or excluded or crowded:
                left.add(name)
            else:
                came.add(name)
        return self.named | came

    def _needed_first(self, names: list[str]) -> list[str]:
        """Return services and what they need, each after what it needs."""
        found: list[str] = []

        def visit(name: str) -> None:
            for needed in self.lab.services[name]["depends_on"]:
                visit(needed)
            if name not in found:
                found.append(name)

        for name in names:
            visit(name)
        return found

    def _members(self, services: Iterable[str]) -> set[str]:
        """Return what the rules see of what is asked for."""
        return {*services, *self.wanted_models}

    @cached_property
    def wanted(self) -> set[str]:
        return self._members(self.target)

    # What the rules say

    def _host(self, name: str) -> str | None:
        """Return the host that something is, or that serves it."""
        hosts = {one.get("service"): host for host, one in self.rules["hosts"].items() if one.get("service")}
        return self.models.get(name) or hosts.get(name) or (name if name in self.rules["hosts"] else None)

    def _is_host(self, name: str) -> bool:
        return name not in self.models and self._host(name) is not None

    def _labels(self, name: str) -> set[str]:
        if self._is_host(name):
            return {label for model, host in self.models.items() if host == self._host(name)
                    for label in (model, self.workloads[model]["class"])}  # fmt: skip
        workload = self._workload(name)
        return {workload, self.workloads[workload]["class"]} if workload else set()

    def _workload(self, name: str) -> str | None:
        return self.by_service.get(name) or (name if name in self.workloads else None)

    def _excludes(self, one: str, other: str, both_there: bool = False) -> bool:
        is_same_host = self._host(one) is not None and self._host(one) == self._host(other)
        if is_same_host and (both_there or self._is_host(one) or self._is_host(other)):
            return False
        if one == other or (self._workload(one) and self._workload(one) == self._workload(other)):
            return False
        ours, theirs = self._labels(one), self._labels(other)
        listed = (permutations(rule.get("exclusive", ()), 2) for rule in self.rules["rules"])
        return any(x in ours and y in theirs for x, y in chain.from_iterable(listed))

    @property
    def _at_most(self) -> list[dict[str, Any]]:
        return [rule for rule in self.rules["rules"] if "at_most" in rule]

    def _counts(self, rule: dict[str, Any], name: str) -> bool:
        return bool(self._labels(name).intersection(rule["of"]))

    def _count(self, rule: dict[str, Any], wanted: Iterable[str], there: Iterable[str]) -> int:
        """Return how many an at-most rule counts: each workload, and each host for one model at least.

        Where it counts nothing that is wanted, the models of a host are no more than that one.
        """
        wanted = [name for name in wanted if self._counts(rule, name)]
        counted = [*wanted, *(name for name in there if self._counts(rule, name))]
        services = {self._workload(name) or name for name in counted if not self._host(name)}
        hosts = {self._host(name) for name in counted if self._host(name)}
        models = {name for name in counted if name in self.models}
        per_host = [max(1, sum(self._host(name) == host for name in models)) if wanted else 1 for host in hosts]
        return len(services) + sum(per_host)

    # What may stop

    @cached_property
    def running(self) -> list[str]:
        return [*self.lab.running, *self.lab.admitted]

    @cached_property
    def others(self) -> list[str]:
        return [name for name in self.running if name not in self.target and name not in self.wanted_models]

    def _class(self, name: str) -> str | None:
        workload = self._workload(name)
        return self.workloads[workload]["class"] if workload else None

    def _is_unneeded(self, name: str) -> bool:
        """Whether it is of the mode's class, or of any for `restore`; a host is what all of its models here are."""
        if self.asked[0] == "restore":
            return True
        if not self.mode:
            return False
        class_: str = self.mode["class"]
        if self._is_host(name):
            served = [model for model in self.lab.admitted if self.models[model] == self._host(name)]
            return bool(served) and all(self._class(one) == class_ and one not in self.wanted_models for one in served)
        return self._class(name) == class_

    def _is_long(self, name: str) -> bool:
        return self._class(name) == "blue" and not self._is_unneeded(name)

    def _is_hopeless(self) -> bool:
        """Whether no stop helps: what is asked for excludes itself, or meets what is held or not the lab's."""
        outside = set(self.lab.foreign)
        if outside & {*self.wanted_models, *(self.by_service.get(name) for name in self.target)}:
            return True
        if self._breaks(self.wanted, outside):
            return True
        if "far" in self.lab.silent and any(self._excludes("far", name) for name in self.wanted):
            return True
        return any(self._is_unneeded(name) for name in self.others if name in self.lab.held)

    def _breaks(self, wanted: Collection[str], there: Collection[str]) -> bool:
        pairs = any(self._excludes(one, other) for one in wanted for other in (*wanted, *there))
        old = any(self._excludes(one, other, both_there=True) for one, other in combinations(there, 2))
        return pairs or old or any(self._count(rule, wanted, there) > rule["at_most"] for rule in self._at_most)

    def _subsets(self) -> Iterable[Names]:
        free = [name for name in self.others if name not in self.lab.held]
        return (frozenset(chosen) for count in range(len(free) + 1) for chosen in combinations(free, count))

    def _is_legal(self, gone: Names) -> bool:
        staying = [name for name in self.others if name not in gone]
        if any(need in gone for name in staying for need in self.needs(name)):
            return False
        useful = [name for name in staying if not self._is_unneeded(name)]
        needed = set(chain.from_iterable(self.needs(name) for name in useful))
        if any(name not in needed for name in staying if self._is_unneeded(name)):
            return False
        if self._breaks(self.wanted, {*staying, *self.lab.foreign}):
            return False
        return all(self._may_stop(name, staying) for name in gone if self._is_long(name)) and self._fits(staying)

    def _may_stop(self, name: str, staying: list[str]) -> bool:
        """Whether a long run is excluded from what is asked for, or has no room beside it and what cannot go either."""
        if any(self._excludes(name, other) for other in self.wanted):
            return True
        long_runs = [other for other in staying if self._is_long(other)]
        firm = self._cannot_go([other for other in (*self.lab.held, *long_runs) if other in staying])
        for rule in self._at_most:
            speaks = self._counts(rule, name) and any(self._counts(rule, other) for other in self.wanted)
            if speaks and self._count(rule, self.wanted, {*firm, *self.lab.foreign, name}) > rule["at_most"]:
                return True
        return False

    def _cannot_go(self, names: list[str]) -> set[str]:
        return {*names, *(need for name in names for need in self.needs(name) if need in self.others)}

    # What fits

    def _fits(self, staying: list[str]) -> bool:
        starting = [name for name in self.target if name not in self.lab.running]
        loads = [name for name in self.with_ if name in self.models and not self._has_memory(name)]
        if not (starting or loads or any(name not in self.lab.admitted for name in self.wanted_models)):
            return True
        after = {*staying, *self.target, *self.wanted_models}
        return self._declared_fits(after) and self._measured_fits(after, starting)

    def _declared_fits(self, after: set[str]) -> bool:
        known = [workload for name in (*after, *self.lab.foreign) if (workload := self._workload(name))]
        plain = [name for name in after if not self._workload(name) and not self._is_host(name)]
        classes = {self.workloads[name]["class"] for name in known}
        overhead = _size(self.rules["overhead"]["system"]) + len(classes) * _size(self.rules["overhead"]["per_class"])
        total = overhead + sum(map(self._planned, [*known, *plain]))
        capacity, limits = _size(self.rules["hardware"]["capacity"]), self.rules["limits"]
        safe = capacity if self.force else min(_size(limits["tight"]), capacity - _size(limits["headroom"]))
        return total <= safe

    def _measured_fits(self, after: set[str], starting: list[str]) -> bool:
        models = [name for name in after if name in self.models and not self._has_memory(name)]
        taking = sum(map(self._planned, [*starting, *models]))
        gone = [name for name in self.running if name not in after]
        back = sum(self._planned(name) for name in gone if name not in self.models or self._has_memory(name))
        reserve = _size(self.rules["limits"]["floor" if self.force else "headroom"])
        return self.lab.free + back >= taking + reserve

    def _has_memory(self, model: str) -> bool:
        """Whether a model is loaded, or admitted on a host that does not say or is not there."""
        host = self.models[model]
        service = self.rules["hosts"][host].get("service")
        asked = service is None or service in self.lab.running
        return model in (self.lab.admitted if host in self.lab.silent or not asked else self.lab.loaded)

    def _planned(self, name: str) -> int:
        workload = self._workload(name)
        if workload is None:
            return 0 if self._is_host(name) else _size(self.rules["default_footprint"])
        return _size(self.workloads[workload]["footprint"])

    # What it costs

    def _cost(self, gone: Names) -> tuple[object, ...]:
        dear = {name for name in gone if not self._is_unneeded(name)}
        known = [self.workloads[workload] for name in dear if (workload := self._workload(name))]
        order = [*self.workloads, *sorted(name for name in self.others if not self._workload(name))]
        kept_first = tuple(place in {self._workload(name) or name for name in dear} for place in order)
        return sum(one["priority"] for one in known), sum(one["load_seconds"] for one in known), len(dear), kept_first


def _size(text: str) -> int:
    return int(text.removesuffix("GB"))
