"""The nodes of the tests' own fleet are machines of their own, can be cut off and broken, and leave nothing behind."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.deep import deep
from tests.engine.apart import namespace, remove, remove_groups
from tests.engine.asking_nodes import history
from tests.engine.lab import ROOT, ends, until
from tests.engine.node_forks import FORKS
from tests.engine.nodes import Fleet, nodes

pytestmark = pytest.mark.xdist_group("fleet")  # whose tests share two nodes, in make test-deep three
KILLED = """
import sys
from pathlib import Path
from tests.engine.nodes import nodes
from tests.engine.private import IMAGE

with nodes(Path(sys.argv[1]), count=1, forks=False, images=Path(sys.argv[2])) as fleet:
    fleet["n1"].docker("run", "--detach", "--network=none", "--env=STAND_IN_MEMORY=1MB", IMAGE, "omni")
    print(fleet["n1"].place.pid, flush=True)
    sys.stdin.read()
"""


def test_each_node_switches_its_own_engine_and_neither_it_nor_its_witness_knows_of_the_others(fleet: Fleet) -> None:
    n1, n2 = fleet["n1"], fleet["n2"]
    with n1.events() as one, n2.events() as two:
        assert fleet.ssh("n1", "spark-mode audio omni").code == 0
        assert [n1.running(), n2.running()] == [{"omni"}, set()]
        assert [history(n1), history(n2)] == [[("audio omni", "applied")], []]
        assert two.starts == 0
        assert fleet.ssh("n2", "spark-mode status --format json").json["mode"] == "idle"
        assert fleet.ssh("n2", "spark-mode training").code == 0
        assert n1.running() == {"omni"}
        assert two.overlaps == []
        assert fleet.ssh("n2", "cd lab; docker compose --profile omni up --detach --no-deps omni").code == 0
    one.require(audio_starts=1, training_starts=0)
    assert len(two.overlaps) == 1


@deep
def test_the_lock_of_a_node_is_its_own(fleet: Fleet) -> None:
    fleet["n1"].environment(OMNI_FAULT="never-healthy")
    switch = fleet.spawn("ssh", "-tt", "n1", "spark-mode audio omni")
    until(lambda: fleet["n1"].running() == {"omni"})
    assert fleet.ssh("n1", "spark-mode training").code == 5
    assert fleet.ssh("n2", "spark-mode training").code == 0
    switch.kill()
    switch.communicate()


def test_the_client_has_ssh_and_spark_mode_and_no_engine_and_nobody_else_reaches_a_node(fleet: Fleet) -> None:
    assert fleet.client("ssh", "n2", "hostname").out.strip() == "n2"
    assert fleet.client("spark-mode", "--version").out.startswith("spark-mode")
    assert fleet.client("docker", "ps").code != 0
    assert "default" not in fleet.client("ip", "route").out + fleet["n2"].place.run("ip", "route")
    with suppress(OSError), socket.create_connection((fleet["n1"].address, 22), 1) as elsewhere:
        assert elsewhere.recv(4) == b""


def fails_and_comes_back(fleet: Fleet, broken: Callable[[], None], healed: Callable[[], None], says: str) -> None:
    """Break how a node is reached: a login fails by itself, so does a session that was there, and others are reached."""
    session = fleet.spawn("ssh", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "n1", "echo in; sleep 60")
    assert session.stdout is not None
    assert session.stdout.readline() == "in\n"
    broken()
    outcome = fleet.ssh("n1", "hostname")
    assert (outcome.code, says in outcome.err) == (255, True), outcome
    assert ends(session).code == 255
    assert fleet.ssh("n2", "hostname").code == 0
    healed()
    assert fleet.ssh("n1", "hostname").out == "n1\n"


@deep
def test_a_node_that_is_cut_off_is_not_reached_until_it_joins_again(fleet: Fleet) -> None:
    fails_and_comes_back(fleet, fleet["n1"].partition, fleet["n1"].join, "port 22")


@deep
def test_a_frozen_sshd_takes_connections_and_says_nothing(fleet: Fleet) -> None:
    fails_and_comes_back(fleet, fleet["n1"].freeze_sshd, fleet["n1"].thaw_sshd, "banner exchange")


def test_a_killed_sshd_refuses_at_once_and_what_it_started_goes_on(fleet: Fleet) -> None:
    node = fleet["n1"]
    assert fleet.ssh("n1", "setsid sleep 61 </dev/null >/dev/null 2>&1 &").code == 0
    fails_and_comes_back(fleet, node.kill_sshd, node.start_sshd, "refused")
    assert [one.cmdline() for one in node.place.processes("sleep") if "61" in one.cmdline()] == [["sleep", "61"]]
    node.heal()
    assert {one.name() for one in node.place.processes()} - {FORKS} == {"containerd", "dockerd", "sshd"}


@deep
def test_an_engine_of_a_node_hangs_dies_and_comes_back_alone(fleet: Fleet) -> None:
    node = fleet["n1"]
    node.spark_mode("audio", "omni")
    (id_,) = node.docker("ps", "--quiet").split()
    first = node.engine.process_of(id_)
    node.engine.freeze()
    with pytest.raises(subprocess.TimeoutExpired):
        node.place.ends("docker", "ps", seconds=1)
    assert fleet.ssh("n2", "docker ps").code == 0
    node.engine.thaw()
    node.engine.kill()
    assert fleet.ssh("n1", "docker ps").code != 0
    assert first.is_running()
    node.engine.start()
    node.heal()
    assert not first.is_running()
    assert fleet.ssh("n1", "spark-mode training").code == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is empty again afterwards."""
    path = Path(tempfile.mkdtemp(prefix="spark-mode-fleet-"))
    yield path
    for left in path.iterdir():
        remove(left)
    path.rmdir()


@contextmanager
def kept(*places: tuple[int, str]) -> Iterator[list[str]]:
    """Have the namespaces of some processes, which nobody else's are called meanwhile: their numbers are given away again."""
    with ExitStack() as stack:
        for pid, kind in places:
            stack.enter_context(Path(f"/proc/{pid}/ns/{kind}").open("rb", buffering=0))
        yield [str(namespace(*one)) for one in places]


def there(*namespaces: str) -> list[psutil.Process]:
    """Return the processes of some namespaces; whoever has ended and is not asked for yet is none."""
    found = [one for one in psutil.process_iter(["status"]) if one.info["status"] != psutil.STATUS_ZOMBIE]
    return [one for one in found if {namespace(one.pid, "net"), namespace(one.pid, "pid")} & {*namespaces}]


def left_of(folder: Path) -> list[str]:
    """Return what there is on this machine that names a folder, and of the groups of its nodes."""
    lines = [*Path("/proc/mounts").read_text().splitlines(), *(" ".join(one.info["cmdline"] or ()) for one in commands())]
    groups = Path("/sys/fs/cgroup").glob(f"**/spark-mode-test-{folder.name}-*")
    return [*(line for line in lines if str(folder) in line), *map(str, groups), *map(str, folder.iterdir())]


def commands() -> Iterator[psutil.Process]:
    return (one for one in psutil.process_iter(["cmdline"]) if one.pid != os.getpid())


@deep
@pytest.mark.usefixtures("whole_fleet")  # it uses no engine that others do
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_fleet_stays(folder: Path, fails: bool) -> None:
    with ExitStack() as stack:
        with suppress(ZeroDivisionError), nodes(folder, count=1) as fleet:
            node = fleet["n1"]
            node.spark_mode("audio", "omni")
            node.place.daemon("sleep", "sleep", "1000")
            session = fleet.spawn("ssh", "n1", "sleep 1000")
            own = ((node.place.pid, "net"), (node.place.pid, "pid"), (fleet.place.pid, "net"))
            spaces = stack.enter_context(kept(*own))
            assert len(there(*spaces)) > 8
            assert left_of(folder) != []
            if fails:
                node.engine.freeze()
                node.partition()
                assert 1 / 0
        session.communicate()
        assert there(*spaces) == []
    assert left_of(folder) == []
    assert not {"lan", "n1"} & {one.name for one in Path("/sys/class/net").iterdir()}


def test_nodes_end_with_the_process_that_has_them_however_it_ends(whole_fleet: Fleet, folder: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(folder), str(whole_fleet.images)]
    with ExitStack() as stack:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            spaces = stack.enter_context(kept((pid, "net"), (pid, "pid")))
            assert len(there(*spaces)) > 4
            process.kill()
        until(lambda: there(*spaces) == [], 30)
    remove_groups(f"spark-mode-test-{folder.name}-n1")
