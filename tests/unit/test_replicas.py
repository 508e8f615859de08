"""Several containers of one service: they go and come back together."""

from spark_mode.lab.project import Project
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Start, Stop
from spark_mode.planning.rollback import rollback
from tests.audio_lab import PROJECT, RULES, container

TWICE = {"whisper": PROJECT.services["whisper"].model_copy(update={"replicas": 2})}
LAB: Project = PROJECT.model_copy(update={"services": PROJECT.services | TWICE})
STOP = Stop(service="whisper", subject="whisper", cause="requested", containers=("one", "two"), by_compose=False)


def replicas(*states: str) -> Observed:
    """Return what is seen of the two, in these states."""
    names = ("one", "two")
    return Observed(containers=tuple(replica(name, state) for name, state in zip(names, states, strict=True)))


def replica(name: str, state: str) -> Container:
    return container(f"whisper/{state}", id=name, name=name)


def test_the_way_back_starts_a_service_of_which_only_one_of_two_runs_again() -> None:
    before = replicas("running", "running")
    for now in (replicas("exited", "exited"), replicas("running", "exited"), replicas("exited", "running")):
        (started,) = [step for step in rollback((STOP,), LAB, RULES, before, now).steps if isinstance(step, Start)]
        assert (started.service, started.by_compose) == ("whisper", True)
    assert rollback((STOP,), LAB, RULES, before, before).steps == ()


def test_the_memory_of_what_comes_back_is_counted_once_for_all_replicas() -> None:
    way = rollback((STOP,), LAB, RULES, replicas("running", "running"), replicas("exited", "exited"))
    needs = next(step.cause for step in way.steps if step.action == "await-release")
    assert needs.startswith("whisper needs")
