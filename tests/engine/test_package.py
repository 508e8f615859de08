"""The Debian package in a clean Debian 12: it comes, is used by two users and root, is upgraded, and goes without a trace."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deb.__main__ import build
from spark_mode import __version__
from tests.deep import DEEP
from tests.engine.clean_tree import CleanTree, clean_tree, is_possible
from tests.engine.conftest import PROJECT
from tests.engine.lab import ROOT, Lab
from tests.engine.outside import furnish

pytestmark = [
    pytest.mark.skipif(not DEEP, reason="a Debian of its own takes minutes: make test-deep"),
    pytest.mark.skipif(not is_possible(), reason="root, an engine and debootstrap are needed: scripts/debian.sh"),
]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine."""
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    return build(architecture, tmp_path_factory.mktemp("package"))


def newer(package: Path) -> Path:
    """Return the package of a later version."""
    tree, new = package.with_name("newer"), package.with_name("newer.deb")
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {__version__}", f"Version: {__version__}+later"))
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, new], check=True, capture_output=True)
    return new


def test_lintian_finds_no_error(package: Path) -> None:
    looked = subprocess.run(["lintian", "--allow-root", "--fail-on=error", package], check=False, capture_output=True, text=True)
    assert looked.returncode == 0, looked.stdout


def use(tree: CleanTree, mode: str) -> None:
    """Switch as one user, look as another, and stop as root, each in the lab of the first."""
    light = "STAND_IN_LOAD=0 STAND_IN_MEMORY=1MB"
    assert f"{mode} runs" in tree.run(f"cd /srv/lab && {light} spark-mode {mode}", "ann")
    assert json.loads(tree.run("cd /srv/lab && spark-mode status --format json", "bob"))["mode"] == mode
    assert "ann" in tree.run("cd /srv/lab && docker spark history", "bob")
    completed = "COMP_WORDS=(spark-mode audio om); COMP_CWORD=2; _spark_mode_completion spark-mode; echo $COMPREPLY"
    script = "/usr/share/bash-completion/completions/spark-mode"
    assert tree.run(f"cd /srv/lab && bash -c '. {script}; {completed}'", "bob") == "omni\n"
    assert "named in /srv/lab/.env" in tree.run("cd /srv/lab && spark-mode gate install")
    assert "everything of the lab is stopped" in tree.run("cd /srv/lab && spark-mode stop --yes")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[CleanTree]:
    """A clean Debian with a lab of ann's, of which nothing runs."""
    with clean_tree(tmp_path) as one:
        furnish(one.root / "srv/lab", PROJECT)
        one.run("chown -R ann /srv/lab")
        yield one
    Lab(PROJECT, tmp_path).down()


def test_it_comes_is_used_by_two_users_and_root_is_upgraded_and_goes_without_a_trace(package: Path, tree: CleanTree) -> None:
    before, docker = tree.files(), tree.run("docker info 2>&1 >/dev/null; docker --help")
    env = (tree.root / "srv/lab/.env").read_text()
    shutil.copy(package, tree.root / "tmp/spark-mode.deb")
    assert "are shared by all users" in tree.run("dpkg --install /tmp/spark-mode.deb")
    owned, new = {*tree.run("dpkg --listfiles spark-mode").splitlines()}, tree.files() - before
    assert {path for path in new - owned if "__pycache__" not in path} == {"/run/spark-mode", "/var/lib/spark-mode"}
    assert owned - new - before == {"/."}, "all that dpkg says is there"
    use(tree, "audio omni")
    shutil.copy(newer(package), tree.root / "tmp/spark-mode.deb")
    tree.run("dpkg --install /tmp/spark-mode.deb")
    assert tree.run("dpkg-query --show --showformat='${Version}' spark-mode") == f"{__version__}+later"
    use(tree, "training")
    assert "the gate of /srv/lab is removed" in tree.run("dpkg --purge spark-mode")
    assert tree.files() == before
    assert (tree.root / "srv/lab/.env").read_text() == env
    assert tree.run("docker info 2>&1 >/dev/null; docker --help") == docker


OTHER = {
    "composer/__init__.py": "MINE = 1\n",
    "composer-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: composer\nVersion: 1\n",
}
WHEEL = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.mark.parametrize("order", ["ours last", "ours first"])
def test_another_package_named_composer_lives_beside_it(tmp_path: Path, order: str) -> None:
    other = tmp_path / "composer-1-py3-none-any.whl"
    record = "".join(f"{name},,\n" for name in (*OTHER, "composer-1.dist-info/WHEEL", "composer-1.dist-info/RECORD"))
    with zipfile.ZipFile(other, "w") as file:
        for name, text in {**OTHER, "composer-1.dist-info/WHEEL": WHEEL, "composer-1.dist-info/RECORD": record}.items():
            file.writestr(name, text)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "ours")]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    wheels = [str(other), *map(str, (tmp_path / "ours").iterdir())]
    python = tmp_path / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "environment"], check=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(python)]
    for wheel in wheels if order == "ours last" else reversed(wheels):
        subprocess.run([*pip, "install", "--no-index", "--no-deps", wheel], check=True)
    subprocess.run([python, "-c", "import composer, spark_mode; assert composer.MINE"], check=True)
    subprocess.run([*pip, "uninstall", "--yes", "spark-mode"], check=True)
    subprocess.run([python, "-c", "import composer; assert composer.MINE"], check=True)
