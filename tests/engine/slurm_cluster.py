"""A Slurm of one machine in a tree of its own, Debian 13 with 24.11, beside the machine's engine.

It has namespaces of its own for mounts, network, names and processes, which end with it; `spark-mode` is this checkout's, which
nobody writes there. What jobs start are containers of the machine's engine, in the stand-in lab of a project of the tests' own.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import spark_mode
from spark_mode.fleet.queueing import script_of
from spark_mode.fleet.slurm_config import Site, asked, files
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.size import GB
from spark_mode.planning.demand import Demands, demands
from tests.engine.clean_tree import PLUGINS, SOCKET
from tests.engine.lab import ROOT, until
from tests.engine.outside import furnish
from tests.simulation import lab as simulated

PACKAGES = "python3,slurmctld,slurmd,slurm-client,munge,procps"
MADE = "SPARK_MODE_SLURM_TREE"
"""An environment variable: the folder of such a tree that debootstrap has made already, which is copied."""
NAME, ADDRESS = "spark1", "10.9.0.1"
LAB = Path("/srv/lab")
JOBS = Path("/srv/jobs")
SHARED = ("/run/spark-mode", "/var/lib/spark-mode")
ENTER = """
mount --make-rprivate /
ip link set lo up
ip link add spark type veth peer name spark-peer
ip addr add $2/24 dev spark
ip link set spark up
ip link set spark-peer up
hostname $3
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
mkdir -p "$1/run/munge"
chroot "$1" chown munge /run/munge
touch "$1/run/docker.sock" && mount --bind /run/docker.sock "$1/run/docker.sock"
root=$1; shift 3
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


class SlurmCluster:
    """One that runs. `needs` is what its modes take; `folder` is the lab's, as it is seen from outside."""

    def __init__(self, root: Path, project: str, keeper: int) -> None:
        self.root, self.project, self.folder = root, project, root / LAB.relative_to("/")
        namespaces = ("--mount", "--net", "--uts", "--pid")
        self._enter = ("nsenter", f"--target={keeper}", *namespaces, "chroot", "--groups=docker")

    @property
    def needs(self) -> Demands:
        """What the modes of its lab take."""
        base = (self.folder / "base.yaml").read_text()
        rules = read_rules((self.folder / "rules.yaml").read_text(), "rules.yaml", lambda _: base)
        training = simulated.PROJECT.services["training"].model_copy(update={"stop_grace_seconds": 60.0})
        services = {**simulated.PROJECT.services, "training": training}
        return demands(rules, simulated.PROJECT.model_copy(update={"services": services}), 8 * GB)

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

    @property
    def site(self) -> Site:
        """What its rules do not say."""
        return Site(nodes=(NAME,), controller=NAME, cpus=os.cpu_count() or 1, lab=str(LAB), program="/usr/local/bin/spark-mode")

    def start(self, more: str = "") -> None:
        """Put the printed configuration in place, with `more` lines, and start Slurm with no memory of any job."""
        for path, text in files(self.needs, self.site).items():
            place = self.root / path.removeprefix("/")
            place.write_text(text + (more if place.name == "slurm.conf" else ""))
            place.chmod(0o755 if "epilog" in place.name else 0o644)
        self.run("rm -rf /var/lib/slurm/slurmctld/* /var/lib/slurm/slurmd/* /var/lib/spark-mode/* /srv/jobs/*")
        self.again()

    def again(self) -> None:
        """Start Slurm, with the memory that it has."""
        self.run("slurmctld && slurmd")
        until(lambda: "idle" in self.run("sinfo --noheader --format=%t", expect=None), pause=0.3)

    def killed(self) -> None:
        """Kill Slurm, whatever it does; jobs go on."""
        self.run("pkill -KILL --exact slurmctld; pkill -KILL --exact slurmd; sleep 0.3", expect=None)

    def end(self) -> None:
        """End all jobs and Slurm."""
        self.run("pkill -CONT slurmd; scancel --user=ann", expect=None)
        until(lambda: not self.run("squeue --noheader", expect=None).strip(), pause=0.2)
        self.killed()
        self.run("pkill -KILL slurmstepd", expect=None)

    def submit(self, mode: str, ruled: bool = True, **environment: str) -> str:
        """Queue a mode as ann, and return the job's number. A job that is not `ruled` asks only Slurm."""
        demand = self.needs.of(mode)
        assert demand
        script = script_of(mode.split(), str(LAB), 1) if ruled else UNRULED.format(name=mode.rsplit(maxsplit=1)[-1])
        path = self.root / f"{JOBS.relative_to('/')}/{time.time_ns()}.sh"
        path.write_text(script)
        path.chmod(0o755)
        words = [one for one in asked(demand, self.needs) if not one.startswith("--mem")]
        export = ",".join(("ALL", *(f"{name}={value}" for name, value in environment.items())))
        line = f"sbatch --parsable --mem=100M --output={JOBS}/%j.out --export={export} {' '.join(words)} {JOBS}/{path.name}"
        return self.run(line, "ann").strip()

    def state(self, job: str) -> str:
        """Return the state of a job, as Slurm has it."""
        return self.run(f"squeue --noheader --states=all --format=%T --jobs={job}", expect=None).strip()

    def of(self, job: str, key: str) -> str:
        """Return a field of a job."""
        return dict(word.split("=", 1) for word in self.run(f"scontrol show job {job}").split() if "=" in word)[key]

    def said(self, job: str) -> str:
        """Return what a job has written."""
        path = self.root / f"{JOBS.relative_to('/')}/{job}.out"
        return path.read_text() if path.exists() else ""


@contextmanager
def slurm_cluster(folder: Path, project: str) -> Iterator[SlurmCluster]:
    """Make one below a folder, with the user ann; its lab's training makes way for audio."""
    root = folder / "slurm"
    if made := os.environ.get(MADE):
        subprocess.run(["cp", "--archive", "--one-file-system", made, root], check=True)
    else:
        made_of = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", str(root)]
        subprocess.run(made_of, check=True, capture_output=True)
    _furnish(root, project)
    ours = {str(ROOT), *(str(Path(one).resolve()) for one in (sys.prefix, sys.base_prefix, Path(spark_mode.__file__).parents[1]))}
    namespaces = ("--mount", "--net", "--uts", "--pid", "--fork", "--kill-child")
    enter = ["unshare", *namespaces, "sh", "-ec", ENTER, "sh", str(root), ADDRESS, NAME, *sorted(ours)]
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == "ready\n"
            inner = int(Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()[0])
            cluster = SlurmCluster(root, project, inner)
            for one in SHARED:
                cluster.run(f"mkdir -p {one} && chgrp docker {one} && chmod 2770 {one}")
            cluster.run("setpriv --reuid=munge --regid=munge --clear-groups munged")
            yield cluster
        finally:
            keeper.kill()


def _furnish(root: Path, project: str) -> None:
    shutil.copy(shutil.which("docker") or "", root / "usr/bin/docker")
    compose = next(path for one in PLUGINS if (path := Path(one, "docker-compose")).exists())
    (root / "usr/libexec/docker/cli-plugins").mkdir(parents=True, exist_ok=True)
    shutil.copy(compose, root / "usr/libexec/docker/cli-plugins")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} {NAME}\n")
    (root / "etc/slurm").mkdir(exist_ok=True)
    (root / "etc/slurm/cgroup.conf").write_text("CgroupPlugin=disabled\n")
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
        id ann || useradd --create-home --shell=/bin/sh --groups=docker ann
        mkdir -p /var/lib/slurm/slurmctld /var/lib/slurm/slurmd /var/log/slurm {JOBS}
        chown --recursive slurm /var/lib/slurm
        chown --recursive ann {LAB} {JOBS}
        test -e /etc/munge/munge.key || mungekey --create
        chown munge: /etc/munge/munge.key
    """
    subprocess.run(["chroot", root, "sh", "-ec", line], check=True, capture_output=True)
