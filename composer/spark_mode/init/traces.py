"""What is looked at of a service's command, environment and mounts, and nothing else of them: they hold secrets."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from spark_mode.init.model_name import is_ollama_model, parameters
from spark_mode.init.tables import (
    ENGINES,
    FILE_FLAGS,
    IN_FRONT,
    KNOWN_IMAGES,
    KNOWN_MODELS,
    KV_BYTES,
    MEM_FRACTION,
    MODEL_FLAGS,
    MODEL_SETTING,
    OWN_STAGES,
    TRAINING_TOOLS,
    TRAINING_WORDS,
    UNSAID,
    UTILISATION,
    UTILISATION_GB,
    Engine,
    Takes,
    found,
)
from spark_mode.init.words import after, flag, pulled, words

_SOCKET = re.compile(r"(^|/)docker\.sock$")
_HUB = re.compile(r"huggingface(/hub)?/?$")
_FIGURE = re.compile(r"\d{0,15}(?:\.\d{1,9})?")
_UNITS = {"b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}


class Traces(NamedTuple):
    """What a service's definition tells of what it is and takes. Sizes are bytes; what is None is not told.

    `utilisation`, `fraction` and `cache` are its flags' figures, as they stand there; with `own_stages` they decide nothing.
    `weights` is where its model lies on this machine, as far as mounts tell. `pulls` are models that it has an Ollama fetch, and
    `asks` those that its settings name. It `trains` by a word that only counts with a GPU, or `trains_surely` by one that says so
    alone; it `serves` on some port, of which `ports` are those of this machine.
    """

    engine: Engine | None = None
    model: str = ""
    utilisation: str | None = None
    utilisation_gb: str | None = None
    fraction: str | None = None
    cache: str | None = None
    own_stages: bool = False
    weights: str | None = None
    pulls: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    trains: bool = False
    trains_surely: bool = False
    shared_memory: int = 0
    ports: tuple[str, ...] = ()
    serves: bool = False
    container_name: str | None = None
    starts_others: bool = False
    killed: bool = False
    contexts_said: bool = False
    parallel: int = 1


def traces(name: str, raw: Mapping[str, Any], reserves_gpu: bool) -> Traces:
    """Return what the definition of a service, as Compose resolves it, tells of it.

    Settings and its name alone make it a server only where it reserves a GPU: a client has the same ones.
    """
    said = words(raw.get("entrypoint"), raw.get("command"))
    settings = {key: str(value) for key, value in (raw.get("environment") or {}).items() if value is not None}
    image = untagged(raw.get("image") or "")
    engine = _engine(name, image, said, settings, reserves_gpu)
    model = _model(engine, said, settings)
    tells = " ".join([name, image, *_no_flags(said)])
    return Traces(
        engine=engine,
        model=model,
        utilisation=_said(said, settings, *UTILISATION),
        utilisation_gb=flag(said, UTILISATION_GB),
        fraction=flag(said, MEM_FRACTION),
        cache=flag(said, KV_BYTES),
        own_stages=any(flag(said, one) is not None for one in OWN_STAGES),
        weights=_on_this_machine(model, raw.get("volumes") or ()),
        pulls=tuple(dict.fromkeys(pulled(said))),
        asks=tuple(dict.fromkeys(_asked_of_ollama(settings))),
        trains=engine is None and found(TRAINING_WORDS, tells),
        trains_surely=engine is None and found(TRAINING_TOOLS, tells),
        shared_memory=_bytes(raw.get("shm_size")),
        ports=tuple(_published(raw.get("ports") or ())),
        serves=bool(raw.get("ports") or raw.get("expose")),
        container_name=raw.get("container_name"),
        starts_others=any(_SOCKET.search(str(mount.get("source") or "")) for mount in raw.get("volumes") or ()),
        killed=str(raw.get("stop_signal") or "").upper().removeprefix("SIG") in ("KILL", "9"),
        contexts_said="OLLAMA_CONTEXT_LENGTH" in settings,
        parallel=int(figure(settings.get("OLLAMA_NUM_PARALLEL")) or 1),
    )


def untagged(image: str) -> str:
    """Return an image's name without its tag and digest."""
    return re.sub(r":[^:/]*$", "", image.partition("@")[0])


def figure(text: str | None) -> float | None:
    """Return a flag's figure, or None for what is none."""
    return float(text) if text and text != "." and _FIGURE.fullmatch(text) else None


def _engine(name: str, image: str, said: tuple[str, ...], settings: Mapping[str, str], reserves_gpu: bool) -> Engine | None:
    """Return the engine by the command, else the image, else, with a GPU, the settings or the service's name."""
    command, own = " ".join(said), reserves_gpu or not found(IN_FRONT, image)
    only_pulls = any(pulled(said)) and "ollama serve" not in command
    signs = (
        lambda one: found(one.command, command),
        lambda one: own and not only_pulls and found(one.image, image),
        lambda one: reserves_gpu and any(found(one.setting, key) for key in settings),
        lambda one: reserves_gpu and name.lower() == one.name.lower(),
    )
    return next((one for sign in signs for one in ENGINES if sign(one)), None)


def _model(engine: Engine | None, said: tuple[str, ...], settings: Mapping[str, str]) -> str:
    """Return the model that a command names, else one of the settings that tells its size."""
    flags = (*MODEL_FLAGS, *FILE_FLAGS) if engine and engine.takes is Takes.WEIGHTS else MODEL_FLAGS
    if engine and engine.takes is not Takes.MODELS and (named := flag(said, *flags) or after(said, "serve")):
        return "" if named.startswith("$") else named
    values = (value for key, value in settings.items() if found(MODEL_SETTING, key) and not found(UNSAID, key))
    return next((value for value in values if parameters(value) or _is_known(value)), "")


def _is_known(model: str) -> bool:
    return any(found(one.pattern, model) for one in (*KNOWN_MODELS, *KNOWN_IMAGES))


def _said(said: tuple[str, ...], settings: Mapping[str, str], name: str, setting: str) -> str | None:
    """Return the value of a flag, or of the setting that stands for it where there is none or the flag only refers to it."""
    value = flag(said, name)
    return settings.get(setting, value) if value is None or value.startswith("$") else value


def _no_flags(said: tuple[str, ...]) -> list[str]:
    return [word for word in said if not word.startswith("-")]


def _asked_of_ollama(settings: Mapping[str, str]) -> list[str]:
    named = (value for key, value in settings.items() if "MODEL" in key.upper() and not found(UNSAID, key))
    return [one for value in named for one in re.split(r"[,;\s]+", value) if is_ollama_model(one)]


def _on_this_machine(model: str, mounts: Any) -> str | None:
    """Return where a model lies on this machine: below the mount that holds its path, or in a mounted cache of Hugging Face."""
    binds = [(str(one["target"]), str(one["source"])) for one in mounts if one.get("type") == "bind" and one.get("source")]
    for target, source in binds:
        if model.startswith(f"{target.rstrip('/')}/"):
            return f"{source}/{model[len(target.rstrip('/')) + 1 :]}"
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        return None
    folder = f"models--{model.replace('/', '--')}"
    caches = ((source.rstrip("/"), match) for target, source in binds if (match := _HUB.search(target)))
    return next((f"{source}{'' if match[1] else '/hub'}/{folder}" for source, match in caches), None)


def _published(ports: Any) -> list[str]:
    addresses = ((one.get("host_ip"), one["published"]) for one in ports if one.get("published"))
    return [f"{f'[{address}]' if ':' in address else address}:{port}" if address else str(port) for address, port in addresses]


def _bytes(size: Any) -> int:
    """Return the bytes of a size as Compose resolves it, or as a file has it."""
    match = re.fullmatch(r"(\d{1,15})\s*([a-z]*)", str(size or "0").lower())
    return int(match[1]) * _UNITS.get(match[2] or "b", 0) if match else 0
