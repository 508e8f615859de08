"""Having Compose create what a switch starts, before anything is stopped, or once what has its name is removed."""

from spark_mode.engine.doors import ChosenVariant, ComposeFailed, Docker
from spark_mode.errors import StepFailed
from spark_mode.planning.plan import Create, Remove
from spark_mode.planning.shared_parts import parted_from
from spark_mode.session.lab import Lab
from spark_mode.switching.last_look import require_stopped


def create(step: Create, lab: Lab) -> None:
    """Create containers, and see that they are those of the plan. Raises StepFailed; EngineUnavailable."""
    variants = {
        service: ChosenVariant(name=name, environment=workload.variants[name].environment)
        for service, name in step.variants.items()
        if (workload := lab.rules.of_service(service))
    }
    require_stopped(step.services, lab.observer)
    try:
        lab.doors.compose.create(step.services, variants, step.anew)
    except ComposeFailed as error:
        raise StepFailed(f"{step.subject} could not be created: {error}") from None
    seen = lab.observer.observe_running()
    for service in step.services:
        made, wanted = seen.container_of(service), lab.project.services[service].config_hash
        if made and (owner := parted_from(service, lab.project, seen)):
            raise StepFailed(f"{service} shares with another container of {owner} than there is; ask again")
        if made and wanted and service not in variants and made.config_hash != wanted:
            raise StepFailed(f"the Compose files changed while {service} was created; ask again")


def remove(step: Remove, docker: Docker) -> None:
    """Remove a container that has stopped. Raises StepFailed for one that runs or stays; EngineUnavailable."""
    docker.remove(step.container)
    if left := docker.container(step.container):
        raise StepFailed(f"{left.name} of {step.service} is {left.condition} and was not removed")
