"""What was remembered, in the names that the lab of several Compose projects has for services now.

A service is known as `ui` while one project has it, and as `main/ui` where two do: so its name changes with who else is there, or
can be read. Records have the names of their moment, and the project of each; old ones do not, and are of the first project.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from spark_mode.journal.journal import JournalState, UnfinishedSwitch
from spark_mode.journal.records import AnyStep
from spark_mode.journal.state import Before
from spark_mode.lab.project import Project
from spark_mode.planning.container import Container
from spark_mode.planning.plan import Create, Remove, Start, Stop, Unpause, Verify
from spark_mode.planning.request import Request, RestoreRequest, StopRequest, UpRequest

Named = TypeVar("Named", bound=str)


def in_names_of_now(known: JournalState, project: Project) -> JournalState:
    """Return what the journal says with the names of now."""
    names, before = _NamesOfNow(project, {}), known.state.before
    return known.model_copy(
        update={
            "state": known.state.model_copy(update={"before": before and _before(before, project)}),
            "unfinished": known.unfinished and _unfinished(known.unfinished, project),
            "holds": tuple(one.model_copy(update={"services": names.all(one.services)}) for one in known.holds),
            "policies": {
                id_: one.model_copy(update={"service": one.service and names.of(one.service)})
                for id_, one in known.policies.items()
            },
        }
    )


class _NamesOfNow:
    """Names that were of these `projects` once."""

    def __init__(self, project: Project, projects: Mapping[str, str]) -> None:
        self._project, self._projects = project, projects

    def of(self, name: str) -> str:
        """Return how the lab knows now what it knew by this name; what it does not have is not mistaken for a namesake."""
        project = self._project
        written, _, plain = name.rpartition("/")
        owner = self._projects.get(name) or (written if written in project.names else "")
        if owner:
            return project.lab_name(owner, plain) if owner in project.names else f"{owner}/{plain}"
        of_first = project.lab_name(project.name, name)
        return of_first if name not in project.services and of_first in project.services else name

    def all(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self.of, names))

    def keys(self, named: Mapping[str, Named]) -> dict[str, Named]:
        return {self.of(name): value for name, value in named.items()}


def _before(before: Before, project: Project) -> Before:
    names = _NamesOfNow(project, before.projects)
    return before.model_copy(
        update={
            "services": names.all(before.services),
            "beside": names.all(before.beside),
            "variants": names.keys(before.variants),
            "projects": names.keys(before.projects),
        }
    )


def _unfinished(switch: UnfinishedSwitch, project: Project) -> UnfinishedSwitch:
    began = switch.began
    seen = {one.service: one.project for one in began.before.containers if one.service and one.project}
    names = _NamesOfNow(project, {**seen, **began.projects})
    before = began.before.model_copy(update={"containers": tuple(_container(one, names) for one in began.before.containers)})
    steps = tuple(_step(one, names) for one in began.steps)
    began = began.model_copy(
        update={
            "request": _request(began.request, names),
            "steps": steps,
            "before": before,
            "replaced": names.all(began.replaced),
            "projects": names.keys(began.projects),
        }
    )
    steps = tuple(_step(one, names) for one in switch.steps)
    return switch.model_copy(update={"began": began, "steps": steps, "ready": names.all(switch.ready)})


def _container(one: Container, names: _NamesOfNow) -> Container:
    return one.model_copy(update={"service": one.service and names.of(one.service), "depends_on": names.all(one.depends_on)})


def _request(request: Request, names: _NamesOfNow) -> Request:
    match request:
        case UpRequest() | StopRequest():
            return request.model_copy(update={"names": names.all(request.names)})
        case RestoreRequest():
            update = {"names": names.all(request.names), "beside": names.all(request.beside)}
            return request.model_copy(update={**update, "variants": names.keys(request.variants)})
        case _:
            return request


def _step(step: AnyStep, names: _NamesOfNow) -> AnyStep:
    """Return a step with its services; what it is called follows, where that is the name of its service."""
    match step:
        case Create():
            update: dict[str, object] = {"services": names.all(step.services), "variants": names.keys(step.variants)}
        case Verify():
            update = {field: names.all(getattr(step, field)) for field in ("services", "completes", "unhealthy", "completed")}
        case Stop() | Start() | Remove() | Unpause():
            service = step.service and names.of(step.service)
            update = {"service": service, "subject": service if step.subject == step.service else step.subject}
        case _:
            return step
    if isinstance(step, Stop):
        update["after"] = names.all(step.after)
    if isinstance(step, Start):
        update["after"] = names.keys(step.after)
    return step.model_copy(update=update)
