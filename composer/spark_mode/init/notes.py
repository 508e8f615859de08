"""What is said beside the file: what was not understood, and what in the Compose files is a danger that no rule takes away."""

from collections import defaultdict
from collections.abc import Iterator

from spark_mode.init.hosts import warnings_of
from spark_mode.init.survey import Survey, is_name


def notes(seen: Survey) -> tuple[str, ...]:
    """Return what is said of a project, a line each."""
    return (*_of_hosts(seen), *_of_services(seen), *_shared(seen))


def _of_hosts(seen: Survey) -> Iterator[str]:
    for host, models in seen.models.items():
        yield from warnings_of(seen.placed[host])
        if not all(one.named for one in models):
            yield f"{host}: which models it serves is not said; name them under workloads, each with its size"


def _of_services(seen: Survey) -> Iterator[str]:
    for name, one in seen.placed.items():
        if one.gpu and not is_name(name):
            yield f"{name}: rules.yaml has no names that begin with a sign, so it is left out; call it otherwise"
        if one.traces.starts_others:
            yield f"{name}: it has the engine's socket, and can start containers past every rule"
        if one.traces.killed and name in seen.sizes:
            yield f"{name}: stop_signal: SIGKILL ends it without a chance to save anything"


def _shared(seen: Survey) -> Iterator[str]:
    """Yield what Docker itself refuses together: a port or a name that several services have. It needs no rule."""
    having: dict[str, list[str]] = defaultdict(list)
    for name, one in seen.placed.items():
        if one.gpu and (name in seen.sizes or name in seen.models):
            for port in one.traces.ports:
                having[f"port {port}"].append(name)
            if one.traces.container_name:
                having[f"the container name {one.traces.container_name}"].append(name)
    for what, names in having.items():
        if len(names) > 1:
            yield f"{' and '.join(names)} have {what}: Docker runs one of them at a time, and needs no rule for that"
