"""Several Compose projects as one for a first rules.yaml: Compose's own models of them in one, under the names that a lab has."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Model = Mapping[str, Any]
_JOINED = ("network_mode", "ipc", "pid")
"""Where a service may name another one whose namespace it is in."""
_OF_SERVICE = "service:"


def merged(models: Sequence[Model]) -> dict[str, Any]:
    """Return the models in one, under the first one's name; a service that two have is called `project/service`."""
    shared = Counter(name for model in models for name in model["services"])
    services: dict[str, Any] = {}
    for model in models:
        names = {name: f"{model['name']}/{name}" if shared[name] > 1 else name for name in model["services"]}
        services |= {names[name]: _renamed(one, names) for name, one in model["services"].items()}
    return {"name": models[0]["name"], "services": services}


def _renamed(service: Model, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a service with the names that the services have which it depends on, or shares with."""
    found = dict(service)
    if depends_on := service.get("depends_on"):
        found["depends_on"] = {names.get(name, name): how for name, how in depends_on.items()}
    for key in _JOINED:
        if str(service.get(key) or "").startswith(_OF_SERVICE):
            other = service[key].removeprefix(_OF_SERVICE)
            found[key] = f"{_OF_SERVICE}{names.get(other, other)}"
    if volumes_from := service.get("volumes_from"):
        parted = (one.partition(":") for one in volumes_from)
        found["volumes_from"] = [f"{names.get(name, name)}{colon}{rest}" for name, colon, rest in parted]
    return found
