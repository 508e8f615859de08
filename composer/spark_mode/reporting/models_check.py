"""What of models takes more memory than it seems to: what decides how many are loaded, and what is in no budget at all."""

from collections.abc import Iterator, Sequence

from spark_mode.lab.few import few
from spark_mode.lab.project import GATE, Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.budget import budget
from spark_mode.reporting.finding import Finding, Level

NAMED = 5
FIX = "leave room for it in rules.yaml (overhead/system), or serve it from a host there"


def hosts(rules: Rules, project: Project, capacity: int) -> Iterator[Finding]:
    """Look at what decides how much a model takes beyond its weights, and how many are loaded at once."""
    for name, host in rules.hosts.items():
        if host.service is None:
            message = f"is outside Docker, at {host.address}: what it unloads for others a client may load again"
            fix = f"a guard unloads it each time; or name its unit: {name}: {{unit: {name}.service, address: …}}"
            yield Finding(level="warning", where=f"rules: hosts/{name}", message=message, fix=fix)
        elif host.unit:
            continue  # what it is set to stands in its unit; its own findings are those of `units`
        elif service := project.services.get(host.service):
            yield from _ollama(service, rules.models_of_host(name), rules, capacity)
        for one in rules.models_of_host(name):
            if _verdict([one], rules, capacity) == "does-not-fit":
                message = f"{gb_text(one.footprint.planned)} never fit this machine; a 70B in FP16 takes 140 GB, in Q4 40 GB"
                yield Finding(level="info", where=f"rules: workloads/{one.name}", message=message, fix="use a Q4 quantisation")


NOT_PINNED = "its context is not pinned: on a Spark Ollama takes 256k tokens, 16 GiB more for an 8B model, 40 GiB for a 70B"


def _ollama(service: Service, models: Sequence[Workload], rules: Rules, capacity: int) -> Iterator[Finding]:
    where = f"compose: {service.name}"
    if not service.ollama.get("OLLAMA_CONTEXT_LENGTH"):
        yield Finding(level="warning", where=where, message=NOT_PINNED, fix='OLLAMA_CONTEXT_LENGTH: "8192"')
    fitting = [one for one in models if _verdict([one], rules, capacity) not in ("oom-risk", "does-not-fit")]
    largest = sorted(fitting, key=lambda one: -one.footprint.planned)[:2]
    verdict = _verdict(largest, rules, capacity)
    most = service.ollama.get("OLLAMA_MAX_LOADED_MODELS")
    if most != "1" and verdict in ("tight", "oom-risk", "does-not-fit"):
        message = f"more than one model may be loaded, and {' and '.join(one.name for one in largest)} together are {verdict}"
        level: Level = "info" if most else "warning"  # who wrote a number wants as many
        yield Finding(level=level, where=where, message=message, fix='OLLAMA_MAX_LOADED_MODELS: "1"')


def _verdict(workloads: Sequence[Workload], rules: Rules, capacity: int) -> str:
    return budget(workloads, rules, capacity).memory


def uncounted(project: Project, rules: Rules) -> Iterator[Finding]:
    """Say which models, providers and hosts of models count nothing."""
    for service in project.services.values():
        where = f"compose: {service.name}"
        if service.models:
            message = (
                f"its models are loaded by Compose's own runner, not counted and never stopped: {few(service.models, NAMED)}"
            )
            yield Finding(level="warning", where=where, message=message, fix=FIX)
        if service.provider and not service.name.startswith(GATE):
            message = "has a provider and no container: what it takes is not counted, and no switch stops it"
            yield Finding(level="warning", where=where, message=message, fix=FIX)
        if _is_ollama(service) and not (rules.host_of_service(service.name) or rules.of_service(service.name)):
            network = ", which is on the machine's own network," if service.on_host_network else ""
            message = f"is an Ollama{network} and no host in rules.yaml: what it has loaded is not asked, and not counted"
            fix = f"hosts: {{{service.name}: {{service: {service.name}}}}}"
            yield Finding(level="warning", where=where, message=message, fix=fix)


def _is_ollama(service: Service) -> bool:
    name = (service.image or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
    return service.startable and (name == "ollama" or bool(service.ollama))
