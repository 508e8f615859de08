"""The way back makes anew what shares with something that it makes anew, through however many others it does so."""

from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Create, Remove, Stop
from spark_mode.planning.rollback import rollback
from tests.audio_lab import RULES, container

SHARING = {"small": {}, "j": {"network_mode": "service:small"}, "j2": {"pid": "service:j"}, "j3": {"volumes_from": ["j2"]}}
LAB: Project = read_project({"name": "lab", "services": {**SHARING, "apart": {}}}, {})
SHARES = {"j": ("small",), "j2": ("j",), "j3": ("j2",)}


def there(*subjects: str) -> Observed:
    """Return what is seen of services, each with its own name as its id."""
    return Observed(containers=tuple(map(one_of, subjects)))


def one_of(subject: str) -> Container:
    name = subject.partition("/")[0]
    return container(subject, id=name, name=name, shares=SHARES.get(name, ()))


def test_what_shares_through_others_with_what_was_removed_is_made_anew_with_it() -> None:
    before = there("small", "j", "j2", "j3", "apart")
    stops = [Stop(service=one.id, subject=one.id, cause="", containers=(one.id,), by_compose=False) for one in before.containers]
    removed = Remove(service="small", container="small", subject="small", cause="")
    now = there("j/exited", "j2/exited", "j3/exited", "apart/exited")
    (created,) = [step for step in rollback((*stops, removed), LAB, RULES, before, now).steps if isinstance(step, Create)]
    assert created.services == ("small", "j", "j2", "j3")
