"""The real lab for tests of the pure rooms: its own rules.yaml and Compose file, and what might be seen of it."""

from pathlib import Path
from typing import Any

import yaml

from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignWorkload
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.request import Request, RestoreRequest, StopRequest, UpRequest, to_mode

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "cases"
RULES_TEXT = (ROOT / "rules.yaml").read_text()
CAPACITY = 128 * GB
SPEECH = ("omni", "chatterbox", "xtts", "qwen", "f5")
FREE = 100 * GB
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def rules_of(text: str) -> Rules:
    """Read rules whose `extends` may name files of the repository's root, as `../rules.yaml` does in compose/."""
    return read_rules(text, "rules.yaml", lambda other: (ROOT / "compose" / other).read_text())


def read_yaml(path: Path) -> Any:
    """Return what a YAML file has, by libyaml where PyYAML was built with it: each process that collects tests reads some."""
    return yaml.load(path.read_text(), Loader=LOADER)  # noqa: S506 - it is a safe one


def resolved() -> dict[str, Any]:
    """Return the Compose file as YAML has it: near enough to Compose's own answer where nothing is interpolated, as ports are."""
    data: dict[str, Any] = read_yaml(ROOT / "compose" / "audio-lab.yaml")
    services = {name: {key: part for key, part in one.items() if key != "ports"} for name, one in data["services"].items()}
    return {"name": data["name"], "services": services}


def read_cases(name: str) -> Any:
    """Return the table of cases in a file of tests/cases."""
    return read_yaml(CASES / name)


RULES = rules_of(RULES_TEXT)
PROJECT: Project = read_project(resolved(), {name: f"hash of {name}" for name in resolved()["services"]})


def container(subject: str, **more: object) -> Container:
    """Return a running container of a service, `SERVICE:VARIANT` or `SERVICE/STATE`, as the files say it should be."""
    name, _, state = subject.partition("/")
    service, _, variant = name.partition(":")
    fields: dict[str, object] = {
        "id": f"id of {service}",
        "name": f"audio-lab-{service}-1",
        "service": service,
        "state": state or "running",
        "health": "none" if service == "training" or state not in ("", "running") else "healthy",
        "variant": variant or None,
        "config_hash": f"hash of {service}",
        "image_id": f"image of {service}",
        "started_at": "2026-01-01T00:00:00Z",
        "stop_seconds": 300 if service == "training" else 10,
    }
    return Container.model_validate(fields | more)


def seen(*subjects: str, available: int | None = FREE, **more: object) -> Observed:
    """Return a snapshot with these containers and `available` bytes free."""
    fields: dict[str, object] = {
        "containers": tuple(sorted((container(one) for one in subjects), key=lambda one: one.name)),
        "memory": Memory(total=CAPACITY, available=available),
        "images": {one.image: f"image of {name}" for name, one in PROJECT.services.items()},
    }
    return Observed.model_validate(fields | more)


def foreign(workload: str, name: str) -> ForeignWorkload:
    """Return a running container of a workload that was started outside the lab."""
    return ForeignWorkload(name=workload, container=Container(id=f"id of {name}", name=name, state="running"))


def request(line: str, rules: Rules | None = None, **more: object) -> Request:
    """Return the request that a command line such as `audio f5 --with devstral` or `training:large` makes."""
    words, extra = line.split(), []
    while "--with" in words:
        at = words.index("--with")
        extra.append(words[at + 1])
        del words[at : at + 2]
    asked = _asked(words[0], tuple(words[1:]), rules or RULES)
    return asked.model_copy(update={"extra": tuple(extra)} | more)


def _asked(verb: str, names: tuple[str, ...], rules: Rules) -> Request:
    match verb:
        case "up":
            return UpRequest(names=names)
        case "stop":
            return StopRequest(names=tuple(name for name in names if name != "--alone"), alone="--alone" in names)
        case "restore":
            return RestoreRequest()
        case mode:
            return to_mode(rules, mode, *names)
