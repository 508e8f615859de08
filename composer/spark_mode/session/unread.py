"""What there is of a Compose project that Compose cannot read: its containers say which of its services have no GPU."""

from contextlib import suppress

from spark_mode.engine.doors import Docker
from spark_mode.errors import EngineUnavailable
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.session.observe import containers_of


def with_unread(rules: Rules, project: Project, docker: Docker) -> Rules:
    """Return the rules with what counts little of projects that cannot be read, as it did while they could be.

    What nobody describes and has a GPU is not known, as ever. Without an engine nothing of it is.
    """
    unread = {part.name for part in project.parts if "" in part.unusable}
    if not unread:
        return rules
    with suppress(EngineUnavailable):
        there = [one for one in containers_of(project, docker) if one.project in unread]
        with_gpu = {one.service for one in there if one.has_gpu}
        small = {one.service for one in there if one.service and one.service not in with_gpu}
        return rules.model_copy(update={"without_gpu": rules.without_gpu | small})
    return rules
