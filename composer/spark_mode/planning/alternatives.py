"""What would fit instead of a request that does not: every answer was tried with the planner's own judgement."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from spark_mode.lab.rules import WITHOUT_GPU
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.observed import Observed
from spark_mode.planning.problem import PlanningProblem
from spark_mode.planning.request import Request, UpRequest

MOST = 3


def alternatives(problem: PlanningProblem, fits: Callable[[Request, Observed], bool], excess: int) -> str:
    """Return what to ask for, or to stop, so that it fits; `fits` tries a request on what would then be there.

    `excess` is how many bytes too many are declared, 0 where only the memory lacks that is free now.
    """
    first = (next((text for request, seen, text in tries if fits(request, seen)), None) for tries in _tries(problem))
    if found := [text for text in first if text]:
        return f"it would fit {' or '.join(found[:MOST])}"
    forced = problem.request.model_copy(update={"force": True})
    if not problem.request.force and fits(forced, problem.observed):
        return "--force admits it down to the floor, at the price of a freeze"
    if less := _to_leave_out(problem, excess):
        return less
    way = "plan less for it in rules.yaml" if excess else "free memory outside the lab"
    return f"nothing that may be stopped makes room for it: {way}, or ask for less"


def _to_leave_out(problem: PlanningProblem, excess: int) -> str | None:
    """Return what of a mode takes too much, where no request for less is left to try; None where it is all there is."""
    needed = {one for name in problem.target.services for one in problem.project.services[name].needs}
    free = [one for one in problem.asked_for if problem.rules.service_of(one) not in needed]
    rising = sorted(free, key=lambda one: one.footprint.planned)
    ways = ([one] for one in rising), (rising[-count:] for count in range(2, len(problem.asked_for)))
    found = next((way for way in chain(*ways) if sum(one.footprint.planned for one in way) >= excess), None)
    if problem.request.verb != "to" or excess == 0 or not found or len(problem.asked_for) == 1:
        return None
    names = ", ".join(f"{one.label} ({gb_text(one.footprint.planned)})" for one in found)
    return f"{gb_text(excess)} are too much: leave {names} out of what {problem.request} runs, or plan less for it in rules.yaml"


def _tries(problem: PlanningProblem) -> Iterator[Iterator[tuple[Request, Observed, str]]]:
    """Yield the ways to ask for less, each from the least change on."""
    request, observed = problem.request, problem.observed
    forced = {False: "", True: " --force"} if request.force else {False: ""}
    for one in problem.asked_for:
        yield (
            (
                changed.model_copy(update={"force": force}),
                observed,
                f"with {smaller.label} instead of {one.label} (spark-mode {changed}{option})",
            )
            for smaller in _smaller(one, problem)
            if (changed := _instead(request, one, smaller))
            for force, option in forced.items()
        )
    for name in request.extra if request.verb != "restore" else ():
        less = request.model_copy(update={"extra": tuple(other for other in request.extra if other != name)})
        yield iter([(less, observed, f"without {name}")])
    if request.verb == "up":
        yield ((less, observed, f"without {left_out} (spark-mode {less})") for less, left_out in _fewer_names(request, problem))
    for name in observed.active_services:
        workload = problem.rules.of_service(name)
        going = {name, *problem.project.dependents(name, observed.active_services)}
        needed = going & {*problem.target.services, *problem.gone_services} or any(map(observed.hold_of, going))
        if workload and problem.rules.runs_to_end(workload) and not needed:
            released = [one for one in observed.copies(problem.rules) if one.service in going]
            without = _with_memory(observed.without(going, ()), released)
            names = " ".join([name, *sorted(going - {name})])
            yield iter([(request, without, f"without {workload.label} (spark-mode stop {names})")])
    for other in {one.container.id: one for one in observed.foreign if not one.is_about_to_start}.values():
        text = f"without {other.container.name} ({other.how_to_stop})"
        yield iter([(request, _without_foreign(other.container.id, problem), text)])


def _fewer_names(request: UpRequest, problem: PlanningProblem) -> Iterator[tuple[UpRequest, str]]:
    """Yield the request without one of its names, the smallest first, then without several of the largest, and which."""
    planned = {name: one.footprint.planned if (one := problem.rules.find(name)) else 0 for name in request.names}
    rising = sorted(planned, key=planned.__getitem__)
    for left_out in (*([name] for name in rising), *(rising[-count:] for count in range(2, len(rising)))):
        if names := tuple(name for name in request.names if name not in left_out):
            yield request.model_copy(update={"names": names}), " and ".join(left_out)


def _without_foreign(id_: str, problem: PlanningProblem) -> Observed:
    """Return the snapshot as it would be without a container that is not the lab's."""
    observed = problem.observed
    going, staying = (tuple(one for one in observed.foreign if (one.container.id == id_) is goes) for goes in (True, False))
    released = observed.model_copy(update={"foreign": going}).foreign_workloads(problem.rules)
    return _with_memory(observed.model_copy(update={"foreign": staying}), released)


def _smaller(one: Workload, problem: PlanningProblem) -> list[Workload]:
    """Return the smaller variants of a workload, or the smaller models of its host, that do not run already; largest first."""
    if one.model and one.host:
        others = [other for other in problem.rules.models_of_host(one.host) if other.name != one.name]
    else:
        others = [one.in_variant(variant) for variant in one.variants]
    asked = {other.label for other in problem.asked_for}
    runs = {there.name: there.footprint.planned for there in problem.observed.workloads(problem.rules)}
    fewer = [
        other
        for other in others
        if runs.get(other.name, 0) < other.footprint.planned < one.footprint.planned and other.label not in asked
    ]
    return sorted(fewer, key=lambda other: -other.footprint.planned)


def _instead(request: Request, one: Workload, smaller: Workload) -> Request | None:
    """Return the request with another workload in the place of one that it names; None where it does not name it."""
    if request.verb == "to" and smaller.variant and not one.model and one.name not in request.extra:
        return request.model_copy(update={"variant": smaller.variant})
    if request.verb == "restore":
        return None
    if request.verb == "run":
        return request.model_copy(update={"name": smaller.label, "size": None})

    def put(names: tuple[str, ...]) -> tuple[str, ...]:
        written = (one.name, one.label, *one.aliases)
        return tuple(smaller.label if name in written else name for name in names)

    changed = request.model_copy(update={"extra": put(request.extra)})
    if request.verb == "up":
        changed = changed.model_copy(update={"names": put(request.names)})
    return changed if changed != request else None


def _with_memory(observed: Observed, gone: Iterable[Workload]) -> Observed:
    """Return the snapshot with the memory that stopped workloads give back."""
    available = observed.memory.available
    if available is None:
        return observed
    memory = observed.memory.model_copy(update={"available": available + sum(one.footprint.planned for one in gone)})
    return observed.model_copy(update={"memory": memory})


def assumed_memory(problem: PlanningProblem) -> str:
    """Return what of the memory that is asked for nobody has said, where that is much."""
    assumed = [one.footprint.planned for one in problem.asked_for if not one.class_]
    if sum(assumed) < 2 * WITHOUT_GPU.planned:
        return ""
    each = f"{len(assumed)} services that no workload describes"
    return f"; {gb_text(sum(assumed))} of it are assumed for {each}: say what they take, such as default_footprint: 0.1GB"
