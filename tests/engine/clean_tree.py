"""A clean Debian 12 in a folder, with the machine's engine: what a package does to it can be seen file by file."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET = Path("/run/docker.sock")
MOUNTS = """
for folder in proc dev; do mount --rbind "/$folder" "$1/$folder"; done
mount -t tmpfs tmpfs "$1/run"
touch "$1/run/docker.sock" && mount --bind /run/docker.sock "$1/run/docker.sock"
echo ready
exec cat
"""
PLUGINS = ("/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins")
NOT_COUNTED = ("var/lib/dpkg", "var/log", "var/cache", "etc/ld.so.cache", "proc", "dev", "home", "tmp")


class CleanTree:
    """A tree that can be entered for as long as `keeper` runs."""

    def __init__(self, root: Path, keeper: "subprocess.Popen[str]") -> None:
        self.root = root
        self._enter = ("nsenter", f"--target={keeper.pid}", "--mount", "chroot")

    def run(self, command: str, user: str = "root", expect: int | None = 0) -> str:
        """Run a command line as a user, in their home, and return all that it printed."""
        home = "/root" if user == "root" else f"/home/{user}"
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LC_ALL": "C.UTF-8"}
        arguments = [*self._enter, "--groups=docker", f"--userspec={user}", str(self.root), "sh", "-c", f"cd {home} && {command}"]
        done = subprocess.run(
            arguments, check=False, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert expect is None or done.returncode == expect, done.stdout
        return done.stdout

    def files(self) -> set[str]:
        """Return the files and folders of the tree, but for those that any package or user writes."""
        found = self.run(f"find / -mindepth 1 {' '.join(f'-path /{one} -prune -o' for one in NOT_COUNTED)} -print")
        return set(found.splitlines())


@contextmanager
def clean_tree(folder: Path) -> Iterator[CleanTree]:
    """Make one below a folder, with the users ann and bob of the group docker."""
    root = folder / "debian"
    made = ["debootstrap", "--variant=minbase", "--include=python3", "bookworm", str(root)]
    subprocess.run(made, check=True, capture_output=True)
    shutil.copy(shutil.which("docker") or "", root / "usr/bin/docker")
    compose = next(path for one in PLUGINS if (path := Path(one, "docker-compose")).exists())
    (root / "usr/libexec/docker/cli-plugins").mkdir(parents=True)
    shutil.copy(compose, root / "usr/libexec/docker/cli-plugins")
    enter = ["unshare", "--mount", "sh", "-ec", MOUNTS, "sh", str(root)]
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == "ready\n"
            subprocess.run(["chroot", root, "groupadd", "-o", "-g", str(SOCKET.stat().st_gid), "docker"], check=True)
            for user in ("ann", "bob"):
                subprocess.run(["chroot", root, "useradd", "-m", "-G", "docker", user], check=True)
            yield CleanTree(root, keeper)
        finally:
            keeper.kill()


def is_possible() -> bool:
    """Whether one can be made here."""
    return os.geteuid() == 0 and SOCKET.is_socket() and bool(shutil.which("debootstrap"))
