"""What a service takes, by the first evidence that applies; what none applies to is not known, and counts the whole machine."""

from collections.abc import Callable
from typing import NamedTuple

from spark_mode.init.fit import STEP
from spark_mode.init.model_name import bits, ollama_weights, parameters, weights
from spark_mode.init.tables import (
    BESIDE_FRACTION,
    BESIDE_KV,
    KNOWN_IMAGES,
    KNOWN_MODELS,
    MEM_FRACTION,
    UTILISATION,
    VLLM_DEFAULT,
    VLLM_HIGH,
    Known,
    Takes,
    found,
)
from spark_mode.init.traces import Traces, figure
from spark_mode.lab.size import GB, gb_text

BESIDE_WEIGHTS = 1.2
"""What a server takes beside the weights, as a share of them, where nothing better is known (GPUStack, compatibility check)."""
BESIDE_FILES = (1.1, 2 * GB)
"""The same for weights whose bytes are known, and what comes on top."""
FAR_MORE = 1.5
"""A flag that takes so many times what the weights and all beside them need is told."""
UNKNOWN = "not known: the whole machine, alone until `spark-mode calibrate` has measured it"

WeightsAt = Callable[[str], int | None]
"""Tells the bytes of a model's weights at a path of this machine; None where there are none."""


class Size(NamedTuple):
    """What is planned for a service and the range it is in, in bytes, and what that rests on, in words.

    `flag` is the name of the flag that decides it, without its dashes.
    """

    planned: int
    low: int
    high: int
    evidence: str
    flag: str | None = None


def size_of(name: str, image: str, one: Traces, memory: int, weights_at: WeightsAt) -> Size | None:
    """Return what a service with a GPU takes on a machine with `memory` bytes; None where that is not known."""
    found_first = _by_engine(one, memory, weights_at) if one.engine else _by_weights(one, weights_at)
    size = found_first or (None if _decides_itself(one) else _known(KNOWN_IMAGES, f"{image} {name} {one.model}"))
    return size and rounded(size._replace(high=max(size.high, size.planned) + one.shared_memory))


def rounded(size: Size) -> Size:
    """Return a size in the steps of a file: up, but for what is the least."""
    planned, high = (-(-one // STEP) * STEP for one in (size.planned, size.high))
    low = planned if size.low == size.planned else max(STEP, min(planned, round(size.low / STEP) * STEP))
    return size._replace(planned=planned, low=low, high=high)


def why_unknown(one: Traces) -> str:
    """Return why the size of a service is not known."""
    if one.engine and one.engine.takes is Takes.REST:
        return f"{one.engine.name} takes a share of what is free: alone"
    if one.utilisation is not None and _share(one) is None:
        return f"its utilisation is no share between 0 and 1; {UNKNOWN}"
    return UNKNOWN


def size_of_ollama(model: str) -> Size | None:
    """Return what a model of Ollama takes, by its name."""
    if (told := ollama_weights(model)) is None:
        return None
    return rounded(Size(told, told, round(told * BESIDE_WEIGHTS), "by its name; more with a long context"))


def _by_engine(one: Traces, memory: int, weights_at: WeightsAt) -> Size | None:
    match one.engine.takes if one.engine else None:
        case Takes.SHARE if not one.own_stages:
            return _by_cache(one, weights_at) or _by_share(one, memory, weights_at)
        case Takes.FRACTION:
            share = figure(one.fraction)
            if share is None or not 0 < share <= 1:
                return None
            taken = round(share * memory) + BESIDE_FRACTION
            words = f"--mem-fraction-static {share:g} of {gb_text(memory)}, and {gb_text(BESIDE_FRACTION)} beside it"
            return Size(taken, taken, taken, words, MEM_FRACTION)
        case Takes.SHARE | Takes.WEIGHTS:
            return _by_weights(one, weights_at)
        case _:
            return None


def _by_cache(one: Traces, weights_at: WeightsAt) -> Size | None:
    cache, told = figure(one.cache), _weights(one, weights_at)
    if not cache or told is None:
        return None
    taken = round(told[0] + cache + BESIDE_KV)
    return Size(taken, taken, taken, f"weights, --kv-cache-memory-bytes and {gb_text(BESIDE_KV)}; the weights are {told[1]}")


def _by_share(one: Traces, memory: int, weights_at: WeightsAt) -> Size | None:
    if one.cache is not None:
        return None  # which decides, and of which nothing is known
    if (fixed := figure(one.utilisation_gb)) and one.utilisation is None:
        taken = round(fixed * GB)
        return Size(
            taken, taken, round(taken * VLLM_HIGH), f"--gpu-memory-utilization-gb {fixed:g}{_weighs(one, taken, weights_at)}"
        )
    share = VLLM_DEFAULT if one.utilisation is None else _share(one)
    if share is None:
        return None
    taken = round(share * memory)
    words = f"--gpu-memory-utilization {share:g}" if one.utilisation is not None else f"no flag, vLLM's default {share:g}"
    evidence = f"{words} of {gb_text(memory)}{_weighs(one, taken, weights_at)}"
    return Size(taken, taken, round(taken * VLLM_HIGH), evidence, UTILISATION[0])


def _share(one: Traces) -> float | None:
    share = figure(one.utilisation)
    return share if share is not None and 0 < share <= 1 else None


def _weighs(one: Traces, taken: int, weights_at: WeightsAt) -> str:
    """Say where a flag takes far more than the weights need."""
    told = _weights(one, weights_at)
    if told is None or taken < FAR_MORE * BESIDE_WEIGHTS * told[0]:
        return ""
    return f": takes {gb_text(taken)} by its flag, the weights are about {told[0] / GB:.0f} GB"


def _weights(one: Traces, weights_at: WeightsAt) -> tuple[int, str] | None:
    """Return the bytes of the weights of its model, and what they rest on."""
    if one.weights and (there := weights_at(one.weights)):
        return there, f"{gb_text(there)} on the disk"
    told = weights(one.model)
    return None if told is None else (told, f"{gb_text(told)} by its name")


def _by_weights(one: Traces, weights_at: WeightsAt) -> Size | None:
    if one.weights and (there := weights_at(one.weights)):
        share, beside = BESIDE_FILES
        taken = round(there * share) + beside
        return Size(taken, there, taken, f"{gb_text(there)} of weights on the disk")
    if known := _known(KNOWN_MODELS, one.model):
        return known
    told, billions = weights(one.model), parameters(one.model)
    if told is None:
        return None
    taken = round(told * BESIDE_WEIGHTS)
    return Size(taken, told, taken, f"by its name: {billions:g} billion parameters in {bits(one.model):g} bits")


def _decides_itself(one: Traces) -> bool:
    """Whether an engine takes what it likes, or what its flags say, whatever the model."""
    return one.engine is not None and not (one.engine.takes is Takes.WEIGHTS or one.own_stages)


def _known(rows: tuple[Known, ...], name: str) -> Size | None:
    row = next((one for one in rows if found(one.pattern, name)), None)
    if row is None:
        return None
    planned, low, high = (round(size * GB) for size in (row.planned, row.low, row.high))
    return Size(planned, low, high, "a known model or image (docs/lab-sources.md)")
