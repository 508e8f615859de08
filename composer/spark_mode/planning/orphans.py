"""What runs on after its service was taken out of the Compose files, and counts by default alone."""

from collections.abc import Iterator

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.planning.observed import Observed


def orphans(observed: Observed, project: Project, rules: Rules) -> Iterator[str]:
    """Yield what is known of each; nothing where Compose resolves nothing, because the files' services are not known then."""
    unread = {part.name for part in project.parts if "" in part.unusable}
    unknown = {one.service for one in observed.active if one.project in unread}
    known = unknown | project.services.keys()
    for name in () if "" in project.unusable else observed.active_services:
        footprint = rules.footprint_of_undescribed(name)
        if name in known or rules.of_service(name) or rules.host_of_service(name) or footprint is None:
            continue
        yield (
            f"{name} runs and is no longer in the Compose files, and no workload describes it: "
            f"it counts as {gb_text(footprint.planned)}, whatever it takes; spark-mode stop {name}"
        )
