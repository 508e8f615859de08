"""The models of a host: what has it fetch them, and what depends on it, name them; else nothing is known of them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from spark_mode.init.model_name import OLLAMA_NAME
from spark_mode.init.place import Placed
from spark_mode.init.sizing import BESIDE_WEIGHTS, Size, rounded, size_of_ollama
from spark_mode.lab.project import Project

Listed = Callable[[tuple[str, ...]], Mapping[str, int]]
"""Asks a host by the ports that it publishes which models it has, with their bytes; nothing where it does not answer."""


class Model(NamedTuple):
    """A model that a host serves; `size` is None where it is not known.

    It is `needed` where the project itself asks for it, and not `named` where it only stands for what nobody has named.
    """

    name: str
    model: str
    host: str
    size: Size | None
    needed: bool = True
    named: bool = True


def models_of(host: str, project: Project, placed: Mapping[str, Placed], listed: Listed) -> tuple[Model, ...]:
    """Return the models of a host, at least one: of a host that names none any client may load any.

    Where the project names none it is asked itself, which tells what it has, and not what of it is needed.
    """
    company = [host, *project.dependents(host, project.services)]
    told = dict.fromkeys(name for one in company for name in (*placed[one].traces.pulls, *placed[one].traces.asks))
    if told:
        return tuple(Model(name, name, host, size_of_ollama(name)) for name in told)
    there = {name: size for name, size in listed(placed[host].traces.ports).items() if OLLAMA_NAME.fullmatch(name) and size > 0}
    if there:
        return tuple(Model(name, name, host, _listed(size), needed=False) for name, size in sorted(there.items()))
    return (Model(f"models-of-{host}", f"models-of-{host}", host, None, needed=False, named=False),)


def _listed(weighs: int) -> Size:
    return rounded(Size(weighs, weighs, round(weighs * BESIDE_WEIGHTS), "as its host lists it; more with a long context"))


def warnings_of(host: Placed) -> tuple[str, ...]:
    """Return what of a host's settings decides its memory, and is not what one would expect."""
    said = []
    if not host.traces.contexts_said:
        said.append("without OLLAMA_CONTEXT_LENGTH a context is up to 256k tokens on a Spark, which may take more than the model")
    if host.traces.parallel > 1:
        said.append(f"OLLAMA_NUM_PARALLEL={host.traces.parallel}: each model takes the memory of {host.traces.parallel} contexts")
    return tuple(f"{host.name}: {one}" for one in said)
