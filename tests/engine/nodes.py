"""A fleet for the tests: several nodes on this machine and a client, which reach each other by ssh and nobody else.

Each has its network in a namespace of its own; what joins them is a bridge in the client's. No traffic ever leaves those.
A node's engine, sshd, containers and programs are in a namespace of processes that ends with the test's own process.
"""

import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.deep import DEEP
from tests.engine.apart import Apart, join, remove, remove_groups, require_tools, send
from tests.engine.lab import DEADLINE, Outcome
from tests.engine.node import Node
from tests.engine.node_forks import FORKS, be_forked
from tests.engine.private import IMAGE

NET = "10.99.0"
CONFIG = """
Host {name}
    HostName {address}
"""
FOR_ALL = """
Host *
    User root
    IdentityFile {keys}/key
    IdentitiesOnly yes
    ControlMaster no
    StrictHostKeyChecking yes
    UserKnownHostsFile {keys}/known
    KexAlgorithms curve25519-sha256
"""
"""With the key exchange that ssh prefers a connection takes two and a half times the processor."""
DISABLED, FORWARDING = "0", "3"
"""States of a port of a bridge."""
BOUNDED = ("BatchMode=yes", "ConnectTimeout=5", "ServerAliveInterval=2", "ServerAliveCountMax=2")


class Fleet:
    """Nodes, by their names n1, n2 and so on, and the client that reaches them. `images` are what another node may begin with."""

    images: Path

    def __init__(self, client: Apart, nodes: Sequence[Node]) -> None:
        self.place, self.nodes = client, {one.name: one for one in nodes}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def client(self, *command: str, seconds: float = DEADLINE, **environment: str) -> Outcome:
        """Run a command on the client to its end, in root's home; ssh finds its configuration there."""
        outcome = self.place.ends(*command, seconds=seconds, **environment)
        assert "Traceback" not in outcome.err, outcome.err
        return outcome

    def spawn(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a command on the client and leave it running; what it writes is kept together."""
        return subprocess.Popen(
            self.place.command("env", "--default-signal=INT,HUP", *command),
            env=self.place.environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ssh(self, name: str, command: str, seconds: float = DEADLINE) -> Outcome:
        """Run a command on a node, by ssh from the client; no connection that says nothing is waited for longer than 10 s."""
        options = [part for option in BOUNDED for part in ("-o", option)]
        return self.client("ssh", *options, "--", name, command, seconds=seconds)

    def write(self, text: str) -> None:
        """Write the client's fleet.yaml."""
        folder = self.place.home / ".config/spark-mode"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "fleet.yaml").write_text(text)

    def heal(self) -> None:
        """Have every node be as it was started, nothing run on the client, and no fleet.yaml there."""
        send([one for one in self.place.processes() if one.info["name"] != FORKS], signal.SIGKILL)
        shutil.rmtree(self.place.home / ".config", ignore_errors=True)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Node.heal, self.nodes.values()))


@contextmanager
def nodes(folder: Path, count: int = 3, forks: bool = not DEEP, images: Path | None = None) -> Iterator[Fleet]:
    """Have a fleet below an empty folder, which is empty again afterwards. Skips the test where that cannot be.

    The folder's path is short, as a socket's is. `forks` says whether spark-mode need not be a new interpreter there, and
    `images` where those of another fleet are.
    """
    require_tools()
    with ExitStack() as left:
        keys = folder / "keys"
        left.callback(remove, keys)
        client = left.enter_context(_place("client", folder, processes=False))
        for command in (("add", "lan", "type", "bridge"), ("set", "lan", "up")):
            client.run("ip", "link", *command)
        client.run("ip", "address", "add", f"{NET}.1/24", "dev", "lan")
        fleet = Fleet(client, [left.enter_context(_node(client, number)) for number in range(1, count + 1)])
        _write_keys(keys, client.home / ".ssh", fleet.nodes.values())
        if images is None:
            images = keys / "image.tar"
            subprocess.run(["docker", "save", "--output", images, IMAGE], check=True, timeout=DEADLINE)
        if forks:
            be_forked(client)
        first, *others = fleet.nodes.values()
        first.start(images, forks)
        fleet.images = first.images() or images
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.start(fleet.images, forks), others))
        yield fleet


@contextmanager
def _place(name: str, folder: Path, processes: bool) -> Iterator[Apart]:
    """Have a machine below a folder, of which nothing stays there."""
    with ExitStack() as left:
        left.callback(remove, folder / name)
        place = Apart(name, folder / name, processes)
        left.callback(place.end)
        yield place


@contextmanager
def _node(client: Apart, number: int) -> Iterator[Node]:
    """Have a node that the client reaches, in which nothing is started yet."""
    name, address, folder = f"n{number}", f"{NET}.{10 + number}", client.folder.parent
    group = f"spark-mode-test-{folder.name}-{name}"
    with ExitStack() as left:
        left.callback(remove_groups, group)
        place = left.enter_context(_place(name, folder, processes=True))
        join(name, place.pid, address, client.run, place.run)
        yield Node(name, address, place, group, partial(_plug, client, name))


def _plug(client: Apart, name: str, joined: bool) -> None:
    """Have the bridge forward what comes from a node and goes to it, or drop it; the cable seems to be in all the while."""
    client.run("bridge", "link", "set", "dev", name, "state", FORWARDING if joined else DISABLED)


def _write_keys(keys: Path, ssh: Path, found: Iterable[Node]) -> None:
    """Write what the client and the nodes know each other by, and the client's configuration."""
    keys.mkdir(mode=0o700)
    ssh.mkdir(mode=0o700)
    for key in ("key", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / key], check=True, timeout=DEADLINE)
    host = (keys / "host.pub").read_text()
    (keys / "known").write_text("".join(f"{one.address} {host}" for one in found))
    (ssh / "config").write_text(
        "".join(CONFIG.format(name=one.name, address=one.address) for one in found) + FOR_ALL.format(keys=keys)
    )
