"""What each service is: with a GPU or without, of which class, a host of models or a one-shot."""

from collections.abc import Mapping
from typing import NamedTuple

from spark_mode.init.tables import AUDIO, CLASSES, OTHER, OTHER_HARDWARE, SUPPORT, TRAINING, Takes, found
from spark_mode.init.traces import Traces, untagged
from spark_mode.lab.project import Project
from spark_mode.lab.service import Service


class Placed(NamedTuple):
    """A service, its class, and whether it keeps a GPU busy; a `host` serves models, which have the class."""

    name: str
    class_: str
    gpu: bool
    host: bool
    one_shot: bool
    traces: Traces
    image: str


def place(project: Project, told: Mapping[str, Traces]) -> dict[str, Placed]:
    """Return what each service is, by what its definition tells, in the order of the project."""
    return {name: _placed(service, told[name]) for name, service in project.services.items()}


def _placed(service: Service, one: Traces) -> Placed:
    name = service.name
    image = untagged(service.image or "")
    host = one.engine is not None and one.engine.takes is Takes.MODELS
    gpu = service.reserves_gpu or one.engine is not None or one.trains_surely
    one_shot = not gpu and service.restart == "no" and not one.serves
    return Placed(name, _class(name, image, one, service.reserves_gpu) if gpu else SUPPORT, gpu, host, one_shot, one, image)


def _class(name: str, image: str, one: Traces, reserves: bool) -> str:
    if one.trains_surely or (one.trains and reserves):
        return TRAINING
    own, tells = one.engine.class_ if one.engine else OTHER, f"{name} {image} {one.model}".replace("_", "-")
    by_word = next((class_ for class_, pattern, _ in CLASSES if found(pattern, tells)), OTHER)
    return by_word if own == OTHER or by_word == AUDIO else own


def for_other_hardware(profile: str) -> str | None:
    """Return the word by which a profile is the same for another machine than a Spark, or None."""
    return next((word for word in profile.lower().replace("_", "-").split("-") if word in OTHER_HARDWARE), None)
