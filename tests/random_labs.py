"""Random labs, in the plain data of rules.yaml and of Compose's answer, and what the planner is told of them."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignWorkload
from spark_mode.planning.observed import Hold, LoadedModel, Memory, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan
from spark_mode.planning.request import Request
from tests.audio_lab import request

CLASSES = ("red", "green", "blue")
"""Of which blue runs to its end."""
MOST = 11
HOST, DAEMON = "server", "far"
OUTSIDE = "outside"
"""Where a workload is that the lab never starts."""
PROFILE = "p"
OF_A_MODE = [["page"], [HOST], ["tool", HOST]]
"""The services that a mode may name."""


class RandomLab(NamedTuple):
    """A lab, what runs there, and what is asked. Sizes are in GB.

    `running` are services, `admitted` and `loaded` models; a host in `silent` does not say what it has loaded. `foreign` are
    workloads that run outside the lab, `held` services and models that somebody holds. `before` is what `restore` brings back.
    """

    rules: dict[str, Any]
    services: dict[str, dict[str, Any]]
    running: tuple[str, ...]
    admitted: tuple[str, ...]
    loaded: tuple[str, ...]
    silent: tuple[str, ...]
    foreign: tuple[str, ...]
    held: tuple[str, ...]
    free: int
    ask: str
    before: tuple[str, ...] = ()

    def project(self) -> Project:
        """Return the project as it is read from Compose's answer."""
        return read_project({"name": "lab", "services": self.services}, dict.fromkeys(self.services, "x"))

    def observed(self) -> Observed:
        """Return what is seen of the lab."""
        workloads = self.rules["workloads"]
        hosts = [name for name, host in self.rules["hosts"].items() if host.get("service") in (None, *self.running)]
        models = {host: [name for name in self.loaded if workloads[name]["host"] == host] for host in hosts}
        known = {host: tuple(LoadedModel(host=host, model=one, workload=one, size=GB) for one in models[host]) for host in hosts}
        services = [name for name in self.held if name in self.services]
        held = [name for name in self.held if name not in services]
        return Observed(
            containers=tuple(_container(name, name in self.running) for name in sorted(self.services)),
            foreign=tuple(ForeignWorkload(name=name, container=_container(f"{name}-outside", True)) for name in self.foreign),
            models=self.admitted,
            loaded={host: None if host in self.silent else known[host] for host in hosts},
            memory=Memory(total=200 * GB, available=self.free * GB),
            held=(Hold(request="up", by="ann", since="09:00", services=tuple(services), models=tuple(held)),),
        )

    def request(self, rules: Rules) -> Request:
        """Return what is asked."""
        words = [word for word in self.ask.split() if word != "--force"]
        asked = request(" ".join(words), rules, force="--force" in self.ask)
        if asked.verb != "restore":
            return asked
        models = tuple(name for name in self.before if name not in self.services)
        services = tuple(name for name in self.before if name in self.services)
        return asked.model_copy(update={"names": services, "extra": models})

    def plan(self) -> Plan:
        """Return what the planner makes of it."""
        rules = Rules.model_validate(self.rules)
        capacity = rules.hardware.capacity
        assert isinstance(capacity, int)
        return plan(self.request(rules), self.project(), rules, self.observed(), capacity)


def _container(service: str, active: bool) -> Container:
    return Container(id=service, name=service, service=service, state="running" if active else "exited", config_hash="x")


@st.composite
def random_labs(draw: st.DrawFn) -> RandomLab:
    """Draw rules with up to 11 workloads, what of them runs, and a request."""
    names = [f"w{number:02}" for number in range(draw(st.integers(2, MOST)))]
    where = {name: draw(st.sampled_from(("", "", "", HOST, HOST, DAEMON, OUTSIDE))) for name in names[1:]}
    where = {names[0]: draw(st.sampled_from(("", HOST))), **where}  # something can be asked for
    own = {name: f"s{name[1:]}" for name in names if not where[name]}
    rules = _rules(draw, names, where, own)
    services = _services(draw, [*own.values(), HOST])
    there = {name for name in services if draw(st.integers(0, 2))}
    in_docker = [name for name in names if where[name] == HOST and HOST in there and draw(st.integers(0, 3))]
    far = [name for name in names if where[name] == DAEMON and draw(st.booleans())]
    loaded = [*(name for name in in_docker if draw(st.booleans())), *far]
    models = [name for name in names if where[name] in (HOST, DAEMON)]
    own_names = [name for name in names if where[name] != OUTSIDE]
    ask, before = _asked(draw, own_names, [*services], models)
    for mode, asked in (("audio", "audio p"), ("training", "training"), ("serve", "serve")):
        if not _give_class(rules, mode, services) and ask.startswith(asked):
            ask = ask.replace(asked, f"up {own_names[0]}", 1)
    active = [*sorted(there), *in_docker, *far]
    return RandomLab(
        rules=rules,
        services=services,
        running=tuple(sorted(there)),
        admitted=tuple(sorted([*in_docker, *far])),
        loaded=tuple(loaded),
        silent=(HOST,) if draw(st.integers(0, 7)) == 0 else (),
        foreign=(draw(st.sampled_from(names)),) if draw(st.integers(0, 7)) == 0 else (),
        held=tuple(draw(st.sets(st.sampled_from(active), max_size=2))) if active and draw(st.integers(0, 3)) == 0 else (),
        free=draw(st.integers(0, 130)),
        ask=ask,
        before=before,
    )


def _rules(draw: st.DrawFn, names: list[str], where: dict[str, str], own: dict[str, str]) -> dict[str, Any]:
    workloads = {
        name: {
            "class": draw(st.sampled_from(("red", "green") if where[name] in (HOST, DAEMON) else ("red", "green", *CLASSES))),
            "footprint": f"{draw(st.integers(4, 16))}GB",
            "priority": draw(st.integers(0, 2)),
            "load_seconds": draw(st.integers(0, 3)),
            **_what_it_is(name, where[name], own),
        }
        for name in names
    }
    models = [name for name in names if where[name] == HOST]
    burst = {"low": "1GB", "high": "1GB"}
    return {
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
            "burst": {"cuda_context": burst, "kv_cache": burst},
        },
        "classes": {name: {"description": name, "runs_to_end": name == "blue"} for name in CLASSES},
        "default_footprint": "1GB",
        "workloads": workloads,
        "hosts": {HOST: {"service": HOST}, DAEMON: {"address": "http://127.0.0.1:1"}},
        "profiles": {PROFILE: {"models": [draw(st.sampled_from(models))]}} if draw(st.booleans()) and models else {},
        "rules": _kept_apart(draw, names),
        "modes": {
            "audio": {"class": "red", "profiles": [PROFILE]},
            "training": {"class": draw(st.sampled_from(("green", "blue"))), "profiles": ["q"]},
            "serve": {"class": draw(st.sampled_from(CLASSES)), "services": draw(st.sampled_from(OF_A_MODE))},
        },
    }


def _give_class(rules: dict[str, Any], name: str, services: dict[str, dict[str, Any]]) -> bool:
    """Have a mode be of a class that something of it has; return whether anything has one."""
    mode = rules["modes"][name]
    profiles = mode.get("profiles", ())
    left = [*mode.get("services", ()), *(one for one in services if {*services[one]["profiles"]}.intersection(profiles))]
    runs: set[str] = set()
    while left:
        runs.add(one := left.pop())
        left += [other for other in services[one]["depends_on"] if other not in runs]
    needed = [model for profile in profiles for model in rules["profiles"].get(profile, {"models": []})["models"]]
    found = {
        one["class"]
        for key, one in rules["workloads"].items()
        if one.get("service") in runs or key in needed or (one.get("host") == HOST and HOST in runs)
    }
    mode["class"] = mode["class"] if mode["class"] in found else min(found, default=mode["class"])
    return bool(found)


def _what_it_is(name: str, where: str, own: dict[str, str]) -> dict[str, Any]:
    if where == OUTSIDE:
        return {"outside": [{"name": name}]}
    return {"model": name, "host": where} if where else {"service": own[name]}


def _kept_apart(draw: st.DrawFn, names: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for members in (CLASSES, names, (*CLASSES, *names)):
        if draw(st.integers(0, 2)) == 0:
            found.append({"exclusive": draw(st.lists(st.sampled_from(members), min_size=2, max_size=2, unique=True))})
    for members in (names, (*CLASSES, *names)):
        if draw(st.integers(0, 2)) == 0:
            group = draw(st.lists(st.sampled_from(members), min_size=1, max_size=5, unique=True))
            found.append({"at_most": draw(st.integers(1, max(1, len(group) - 1))), "of": group})
    return [{"name": f"rule{at}", "because": "so it is", **rule} for at, rule in enumerate(found)]


def _services(draw: st.DrawFn, names: list[str]) -> dict[str, dict[str, Any]]:
    """Draw services with what they depend on; most have a profile, of a mode or of their own, some none."""
    found: dict[str, dict[str, Any]] = {}
    for name in [*names, "page", "tool"]:
        needed = {other: {"condition": "service_started"} for other in found if draw(st.integers(0, 9)) == 0}
        own = {"page": PROFILE, "tool": "q"}.get(name, f"{name}-alone")
        profile = own if name in ("page", "tool") else draw(st.sampled_from((PROFILE, "q", own, own, "")))
        found[name] = {"image": name, "depends_on": needed, "profiles": [profile] if profile else []}
    return found


def _asked(draw: st.DrawFn, names: list[str], services: list[str], models: list[str]) -> tuple[str, tuple[str, ...]]:
    verb = draw(st.sampled_from(("up", "up", "audio p", "training", "serve", "restore")))
    if verb == "restore":
        there = draw(st.sets(st.sampled_from([*services, *models]), max_size=4))
        return verb, tuple(sorted({*there, *([HOST] if there.intersection(models) else [])}))
    few = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    more = draw(st.lists(st.sampled_from(names), max_size=1)) if draw(st.booleans()) else []
    force = ["--force"] if draw(st.integers(0, 3)) == 0 else []
    asked = [verb, *(few if verb == "up" else []), *(f"--with {name}" for name in more), *force]
    return " ".join(asked), ()
