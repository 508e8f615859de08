"""The lab that the tests on the real engine use; nothing of it is left, and nothing else is touched."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.conftest import has_engines_of_its_own
from tests.deep import DEEP
from tests.engine.guarding import Guarding
from tests.engine.installed import installed_once
from tests.engine.lab import Lab, snapshot
from tests.engine.labs import copy_of
from tests.engine.nodes import Fleet, nodes
from tests.engine.outside import lab_in_folder
from tests.engine.private import PrivateEngine
from tests.engine.slurm_cluster import NAME, SECOND, SlurmCluster, slurm_cluster
from tests.known_plugin import configuration

PROJECT = os.environ.get("SPARK_MODE_TEST_PROJECT", "spark-mode-test") + "-" + os.environ.get("PYTEST_XDIST_WORKER", "alone")
"""Processes that test beside each other on one engine have a project each; its name begins so."""
QUEUE = "SlurmdTimeout=5\n"
"""In the tests a machine that says nothing for a few seconds is down."""


@pytest.fixture(scope="session", autouse=True)
def others_are_untouched() -> Iterator[None]:
    """Every container that is not the tests' own has the same id, state and start time after all tests."""
    before = [one for one in snapshot() if "spark-mode-test" not in f"{one['project']} {one['name']}"]
    yield
    after = snapshot()
    assert [one for one in before if one not in after] == []


@pytest.fixture(autouse=True)
def compose_costs_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test itself asks Compose, as a `Lab` has it."""
    monkeypatch.setenv("DOCKER_CONFIG", configuration())


@contextmanager
def turn(alone: bool) -> Iterator[None]:
    """While a test measures memory, or changes what all labs of an engine see, none runs beside it.

    It waits at the door, and until it has had its turn nobody else passes: two that take turns would keep it out.
    """
    folder = Path(tempfile.gettempdir())
    with (folder / "spark-mode-tests.door").open("w") as door, (folder / "spark-mode-tests.lock").open("w") as lock:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.fixture(scope="module", autouse=True)
def a_module_has_its_turn(request: pytest.FixtureRequest) -> Iterator[bool]:
    """A module whose tests are all alone has one turn: at each, the others would have to come to an end first."""
    alone = request.node.get_closest_marker("alone") is not None
    with turn(alone) if alone else nullcontext():
        yield alone


@pytest.fixture(autouse=True)
def a_test_has_its_turn(request: pytest.FixtureRequest, a_module_has_its_turn: bool) -> Iterator[None]:
    """Every other test has its own, but for those that use no engine that others do."""
    alone = request.node.get_closest_marker("alone") is not None
    with nullcontext() if a_module_has_its_turn or has_engines_of_its_own(request.node) else turn(alone):
        yield


@pytest.fixture(scope="session")
def engine() -> Iterator[PrivateEngine]:
    """An engine of the tests' own."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a second engine")
    one = PrivateEngine(Path(tempfile.mkdtemp(prefix="spark-mode-engine-")))
    try:
        one.start()
        one.load()
        yield one
    finally:
        one.remove()


@pytest.fixture(scope="session")
def whole_fleet() -> Iterator[Fleet]:
    """Two nodes, in `make test-deep` three, and a client. Who uses them is in the group "fleet": one worker has them."""
    folder = Path(tempfile.mkdtemp(prefix="spark-mode-fleet-"))
    try:
        with nodes(folder, count=3 if DEEP else 2) as fleet:
            yield fleet
    finally:
        folder.rmdir()


@pytest.fixture
def fleet(whole_fleet: Fleet) -> Fleet:
    """The same, with nothing running, nothing remembered and nothing broken."""
    whole_fleet.heal()
    return whole_fleet


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Two machines with Slurm, which is not started. Who uses them is in the group "slurm"."""
    with slurm_cluster(tmp_path_factory.mktemp("cluster"), f"{PROJECT}-slurm") as one:
        yield one


@pytest.fixture
def outside(slurm: SlurmCluster, tmp_path: Path) -> Iterator[Lab]:
    """The lab of the first of them as somebody outside sees it."""
    yield from _with_nothing_running(Lab(slurm.project, tmp_path))


@pytest.fixture
def beyond(slurm: SlurmCluster, tmp_path: Path) -> Iterator[Lab]:
    """The lab of the second one."""
    yield from _with_nothing_running(Lab(slurm.second.project, tmp_path))


@pytest.fixture
def cluster(slurm: SlurmCluster, outside: Lab) -> Iterator[SlurmCluster]:
    """A queue with no job, of the first machine alone."""
    assert outside.running() == {}
    slurm.start(QUEUE)
    yield slurm
    slurm.end()


@pytest.fixture
def both(slurm: SlurmCluster, outside: Lab, beyond: Lab) -> Iterator[SlurmCluster]:
    """A queue with no job, of both machines."""
    assert {**outside.running(), **beyond.running()} == {}
    slurm.start(QUEUE, (NAME, SECOND))
    yield slurm
    slurm.reaches(slurm.second, True)
    slurm.run(f"scontrol update nodename={SECOND} state=resume", expect=None)
    slurm.end()


@pytest.fixture(scope="session")
def kept_answer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Compose answered about the stand-in lab: without it each test's first command asked anew, at 0.3 s of processor."""
    asked = Lab(PROJECT, tmp_path_factory.mktemp("asked"))
    asked.down()
    asked.run("plan", "training")
    (answer,) = asked.state_folder.glob("compose-*.json")
    return answer


@pytest.fixture(scope="module")
def lab_of_module(tmp_path_factory: pytest.TempPathFactory, kept_answer: Path) -> Iterator[Lab]:
    """A lab for all tests of a module, which are a group: each begins with what runs there."""
    with stand_in(tmp_path_factory.mktemp("standing"), kept_answer) as one:
        yield one


@pytest.fixture
def standing(lab_of_module: Lab) -> Iterator[Lab]:
    """That lab, used as if nobody had used it before; what a test leaves running of spark-mode ends with it."""
    one = lab_of_module.again()
    yield one
    one.end()


@pytest.fixture
def lab(tmp_path: Path, kept_answer: Path) -> Iterator[Lab]:
    """A lab with nothing running."""
    with stand_in(tmp_path, kept_answer) as one:
        yield one


@contextmanager
def stand_in(home: Path, kept_answer: Path) -> Iterator[Lab]:
    """Have a lab with nothing running."""
    one = Lab(PROJECT, home)
    one.state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy2(kept_answer, one.state_folder)
    yield from _with_nothing_running(one)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an installed package, of which a run of the tests has one."""
    own = tmp_path_factory.getbasetemp()
    return installed_once((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "installed")


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is at the same place for every test, and has nothing in it but what Compose answered to those before.

    Where a lab has the same files there again it is not asked again.
    """
    folder = tmp_path_factory.getbasetemp() / "home"
    state = folder / "state" / "spark-mode"
    answers = {path: path.read_bytes() for path in state.glob("compose-*.json")}
    if folder.exists():
        shutil.rmtree(folder)
    state.mkdir(mode=0o700, parents=True)
    for path, answer in answers.items():
        path.write_bytes(answer)
    return folder


@pytest.fixture
def apart(home: Path) -> Iterator[Lab]:
    """A lab in a folder of its own with nothing running, and no gate."""
    yield from _with_nothing_running(lab_in_folder(PROJECT, home))


@pytest.fixture
def lab_of(home: Path) -> Iterator[Callable[[str], Lab]]:
    """Make a copy of one of the small labs of tests/engine/labs, with nothing running."""
    with ExitStack() as made:

        def lab_of(name: str) -> Lab:
            return made.enter_context(contextmanager(_with_nothing_running)(copy_of(name, PROJECT, home)))

        yield lab_of


def _with_nothing_running(one: Lab) -> Iterator[Lab]:
    """Yield a lab with nothing running, and leave nothing of it behind."""
    one.down()
    yield one
    one.down()


@pytest.fixture
def gated(apart: Lab) -> Lab:
    """The same with its gate in place."""
    apart.run("gate", "install")
    return apart


@pytest.fixture
def guard(apart: Lab) -> Iterator[Guarding]:
    """A guard of that lab."""
    one = Guarding(apart)
    yield one
    if one.process.poll() is None:
        one.kill()
