"""A Slurm of two machines in trees of their own, Debian 13 with 24.11, beside the machine's engine.

Each has namespaces of its own for mounts, network, names and processes, which end with it; `spark-mode` is this checkout's, which
nobody writes there. What jobs start are containers of the machine's engine, in a stand-in lab for each, whose projects are the
tests' own and know nothing of each other.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import spark_mode
from spark_mode.fleet.queueing import script_of
from spark_mode.fleet.slurm_config import Site, asked, files
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.size import GB
from spark_mode.planning.demand import Demands, demands
from tests.engine.apart import join
from tests.engine.clean_tree import PLUGINS, SOCKET
from tests.engine.lab import ROOT, until
from tests.engine.nodes import DISABLED, FORWARDING
from tests.engine.outside import furnish
from tests.simulation import lab as simulated

PACKAGES = "python3,slurmctld,slurmd,slurm-client,munge,procps"
MADE = "SPARK_MODE_SLURM_TREE"
"""An environment variable: the folder of such a tree that debootstrap has made already, which is copied."""
NAME, SECOND = "spark1", "spark2"
NAMES = {NAME: "10.9.0.1", SECOND: "10.9.0.2"}
LAB = Path("/srv/lab")
JOBS = Path("/srv/jobs")
SHARED = ("/run/spark-mode", "/var/lib/spark-mode")
ENTER = """
mount --make-rprivate /
ip link set lo up
hostname $2
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
mkdir -p "$1/run/munge"
chroot "$1" chown munge /run/munge
touch "$1/run/docker.sock" && mount --bind /run/docker.sock "$1/run/docker.sock"
root=$1; shift 2
for one; do
    mkdir -p "$root$one"
    mount --bind "$one" "$root$one"
    mount -o remount,bind,ro "$root$one"
done
echo ready
exec cat
"""
PROGRAM = """#!/bin/sh
export PYTHONPATH={package} STAND_IN_LOAD=0 STAND_IN_MEMORY=1MB
exec {python} -m spark_mode.cli "$@"
"""
UNRULED = """#!/bin/sh
cd /srv/lab
export STAND_IN_LOAD=0 STAND_IN_MEMORY=1MB
exec docker compose --profile {name} up --quiet-pull {name}
"""
"""A job that asks nobody: what Slurm alone makes of it is seen by the same witness."""


class Machine:
    """One that runs, by its `name`. `folder` is its lab's, as it is seen from outside."""

    def __init__(self, name: str, root: Path, project: str, keeper: int) -> None:
        self.name, self.root, self.project, self.folder = name, root, project, root / LAB.relative_to("/")
        self._keeper = keeper
        namespaces = ("--mount", "--net", "--uts", "--pid")
        self._enter = ("nsenter", f"--target={keeper}", *namespaces, "chroot", "--groups=docker")

    def run(self, command: str, user: str = "root", expect: int | None = 0) -> str:
        """Run a command line as a user and return what it printed."""
        home = "/root" if user == "root" else f"/home/{user}"
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LC_ALL": "C.UTF-8"}
        arguments = [*self._enter, f"--userspec={user}", str(self.root), "sh", "-c", f"cd {JOBS} && {command}"]
        done = subprocess.run(
            arguments,
            check=False,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        assert expect is None or done.returncode == expect, f"{command}: {done.returncode}: {done.stdout}"
        return done.stdout

    def network(self, *command: str) -> None:
        """Run this machine's own `ip` or `bridge` in the network of that one."""
        subprocess.run(["nsenter", f"--target={self._keeper}", "--net", *command], check=True, capture_output=True, timeout=30)

    def joined(self, other: "Machine") -> None:
        """Have another one reached over a bridge that this one has."""
        join(other.name, other._keeper, NAMES[other.name], self.network, other.network)

    def said(self, job: str) -> str:
        """Return what a job has written there."""
        path = self.root / f"{JOBS.relative_to('/')}/{job}.out"
        return path.read_text() if path.exists() else ""


class SlurmCluster(Machine):
    """The first one, where the controller runs, and the `second`. `needs` is what the modes of their labs take."""

    def __init__(self, first: Machine, second: Machine) -> None:
        super().__init__(first.name, first.root, first.project, first._keeper)
        self.second = second
        self._names: tuple[str, ...] = (NAME,)

    @property
    def needs(self) -> Demands:
        """What the modes of its lab take."""
        base = (self.folder / "base.yaml").read_text()
        rules = read_rules((self.folder / "rules.yaml").read_text(), "rules.yaml", lambda _: base)
        training = simulated.PROJECT.services["training"].model_copy(update={"stop_grace_seconds": 60.0})
        services = {**simulated.PROJECT.services, "training": training}
        return demands(rules, simulated.PROJECT.model_copy(update={"services": services}), 8 * GB)

    @property
    def site(self) -> Site:
        """What its rules do not say."""
        cpus = os.cpu_count() or 1
        return Site(nodes=self._names, controller=NAME, cpus=cpus, lab=str(LAB), program="/usr/local/bin/spark-mode")

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Those that Slurm knows."""
        return (self, self.second)[: len(self._names)]

    def start(self, more: str = "", names: tuple[str, ...] = (NAME,)) -> None:
        """Put the printed configuration in place, with `more` lines, and start Slurm with no memory of any job."""
        self._names = names
        for machine in self.machines:
            for path, text in files(self.needs, self.site).items():
                place = machine.root / path.removeprefix("/")
                place.write_text(text + (more if place.name == "slurm.conf" else ""))
                place.chmod(0o755 if "epilog" in place.name else 0o644)
            machine.run("rm -rf /var/lib/slurm/slurmctld/* /var/lib/slurm/slurmd/* /var/lib/spark-mode/* /srv/jobs/*")
        self.again()

    def again(self) -> None:
        """Start Slurm, with the memory that it has."""
        self.run("slurmctld")
        for machine in self.machines:
            machine.run("slurmd")
        many = len(self.machines)
        until(lambda: self.run("sinfo --noheader --Node --format=%t", expect=None).split().count("idle") >= many, pause=0.3)

    def killed(self) -> None:
        """Kill Slurm, whatever it does; jobs go on."""
        self.run("pkill -KILL --exact slurmctld", expect=None)
        for machine in self.machines:
            machine.run("pkill -KILL --exact slurmd; sleep 0.3", expect=None)

    def end(self) -> None:
        """End all jobs and Slurm."""
        for machine in self.machines:
            machine.run("pkill -CONT slurmd", expect=None)
        self.run("scancel --user=ann", expect=None)
        until(lambda: not self.run("squeue --noheader", expect=None).strip(), pause=0.2)
        self.killed()
        for machine in self.machines:
            machine.run("pkill -KILL slurmstepd", expect=None)

    def reaches(self, other: Machine, yes: bool) -> None:
        """Have another machine reached, or have what is sent to it and by it vanish without a word to anybody."""
        self.network("bridge", "link", "set", "dev", other.name, "state", FORWARDING if yes else DISABLED)

    def submit(self, mode: str, ruled: bool = True, more: str = "", **environment: str) -> str:
        """Queue a mode as ann, with `more` options, and return its number. A job that is not `ruled` asks only Slurm."""
        script = script_of(mode.split(), str(LAB), 1) if ruled else UNRULED.format(name=mode.rsplit(maxsplit=1)[-1])
        return self.submit_script(script, mode, more, **environment)

    def submit_script(self, script: str, mode: str, more: str = "", **environment: str) -> str:
        """Queue a script that takes for Slurm what a mode does."""
        demand = self.needs.of(mode)
        assert demand
        path = self.root / f"{JOBS.relative_to('/')}/{time.time_ns()}.sh"
        path.write_text(script)
        path.chmod(0o755)
        words = [one for one in asked(demand, self.needs) if not one.startswith("--mem")]
        export = ",".join(("ALL", *(f"{name}={value}" for name, value in environment.items())))
        line = (
            f"sbatch --parsable --mem=100M --output={JOBS}/%j.out --export={export} {' '.join(words)} {more} {JOBS}/{path.name}"
        )
        return self.run(line, "ann").strip()

    def state(self, job: str) -> str:
        """Return the state of a job, as Slurm has it; nothing where it knows no such job."""
        seen = self.run("squeue --noheader --states=all --format='%i %T'", expect=None)
        return next((line.split()[1] for line in seen.splitlines() if line.split()[:1] == [job]), "")

    def of(self, job: str, key: str) -> str:
        """Return a field of a job."""
        return dict(word.split("=", 1) for word in self.run(f"scontrol show job {job}").split() if "=" in word)[key]


def project_of(project: str, name: str) -> str:
    """Return the project of a machine's lab, by that of the first one's."""
    return project if name == NAME else f"{project}-{name}"


@contextmanager
def slurm_cluster(folder: Path, project: str) -> Iterator[SlurmCluster]:
    """Make one below a folder, with the user ann; its labs' training makes way for audio."""
    trees = {name: folder / name for name in NAMES}
    made = os.environ.get(MADE)
    if not made:
        made = str(folder / "made")
        made_of = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", made]
        subprocess.run(made_of, check=True, capture_output=True)
    with ExitStack() as left:
        for name, root in trees.items():
            subprocess.run(["cp", "--archive", "--one-file-system", made, root], check=True)
            _furnish(root, project_of(project, name), trees[NAME])
        found = [left.enter_context(_machine(name, root, project_of(project, name))) for name, root in trees.items()]
        cluster = SlurmCluster(*found)
        for command in (("add", "lan", "type", "bridge"), ("set", "lan", "up")):
            cluster.network("ip", "link", *command)
        cluster.network("ip", "address", "add", f"{NAMES[NAME]}/24", "dev", "lan")
        cluster.joined(cluster.second)
        yield cluster


@contextmanager
def _machine(name: str, root: Path, project: str) -> Iterator[Machine]:
    """Have a machine in its tree, with its munged; nothing of it stays."""
    ours = {str(ROOT), *(str(Path(one).resolve()) for one in (sys.prefix, sys.base_prefix, Path(spark_mode.__file__).parents[1]))}
    namespaces = ("--mount", "--net", "--uts", "--pid", "--fork", "--kill-child")
    enter = ["unshare", *namespaces, "sh", "-ec", ENTER, "sh", str(root), name, *sorted(ours)]
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == "ready\n"
            inner = int(Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()[0])
            machine = Machine(name, root, project, inner)
            for one in SHARED:
                machine.run(f"mkdir -p {one} && chgrp docker {one} && chmod 2770 {one}")
            machine.run("setpriv --reuid=munge --regid=munge --clear-groups munged")
            yield machine
        finally:
            keeper.kill()


def _furnish(root: Path, project: str, first: Path) -> None:
    """Put into a tree what it has of the tests, with the key of the first one."""
    shutil.copy(shutil.which("docker") or "", root / "usr/bin/docker")
    compose = next(path for one in PLUGINS if (path := Path(one, "docker-compose")).exists())
    (root / "usr/libexec/docker/cli-plugins").mkdir(parents=True, exist_ok=True)
    shutil.copy(compose, root / "usr/libexec/docker/cli-plugins")
    hosts = [f"{address} {name}\n" for name, address in NAMES.items()]
    (root / "etc/hosts").write_text("".join(["127.0.0.1 localhost\n", *hosts]))
    (root / "etc/slurm").mkdir(exist_ok=True)
    (root / "etc/slurm/cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    program = root / "usr/local/bin/spark-mode"
    program.write_text(PROGRAM.format(package=Path(spark_mode.__file__).parents[1], python=sys.executable))
    program.chmod(0o755)
    (root / "root").chmod(0o711)
    lab = root / LAB.relative_to("/")
    shutil.rmtree(lab, ignore_errors=True)
    furnish(lab, project)
    base = lab / "base.yaml"
    base.write_text(base.read_text().replace("priority: 100", "priority: 10").replace("spares: [training]", "spares: []"))
    line = f"""
        groupadd --non-unique --gid={SOCKET.stat().st_gid} docker || true
        id ann || useradd --create-home --shell=/bin/sh ann
        usermod --append --groups=docker ann
        mkdir -p /var/lib/slurm/slurmctld /var/lib/slurm/slurmd /var/log/slurm {JOBS}
        chown --recursive slurm /var/lib/slurm
        chown --recursive ann: {LAB} {JOBS}
        test -e /etc/munge/munge.key || mungekey --create
        chown munge: /etc/munge/munge.key
    """
    if root != first:
        shutil.copy2(first / "etc/munge/munge.key", root / "etc/munge/munge.key")
    subprocess.run(["chroot", root, "sh", "-ec", line], check=True, capture_output=True)
