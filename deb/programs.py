"""spark-mode and all that it needs, as a virtual environment that is nothing but files.

One folder has the packages for every Python that Debian and Ubuntu come with: what is compiled says in its name for which one
it is. So a package needs no network and runs no installer, and the machine's Python may become another one under it.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
HOME = Path("usr/lib/spark-mode")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""From Debian 12 and Ubuntu 24.04 on."""
MANYLINUX = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
EXTRAS = ("gpu", "page")
"""What of spark-mode is a matter of choice elsewhere: who installs the package has all of it."""


def put_programs(tree: Path, machine: str, scratch: Path) -> None:
    """Put the environment into a tree, for a machine as Python's packages call it."""
    packages = tree / HOME / "lib/python3/site-packages"
    packages.mkdir(parents=True)
    for wheel in _wheels(machine, scratch / "wheels"):
        with ZipFile(wheel) as file:
            file.extractall(packages)
    for python in PYTHONS:
        (tree / HOME / f"lib/python{python}").symlink_to("python3")
    (tree / HOME / "bin").mkdir()
    (tree / HOME / "bin/python3").symlink_to("../../../bin/python3")
    (tree / HOME / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")


def _wheels(machine: str, folder: Path) -> list[Path]:
    """Return our own wheel, and those of all that it needs, in the versions that are tested with it."""
    wanted = [f"{name}=={version}" for name, version in sorted(needed().items())]
    platforms = [word for one in MANYLINUX for word in ("--platform", f"{one}_{machine}")]
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", str(folder))
    for python in PYTHONS:
        _run(sys.executable, "-m", "pip", "download", *quiet, *platforms, "--python-version", python, *wanted)
        wanted = [one for one in wanted if any(_is_for(python, one, wheel.name) for wheel in folder.iterdir())]
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    return sorted(folder.iterdir())


def _is_for(python: str, requirement: str, wheel: str) -> bool:
    """Whether a wheel is what is required, and for one Python alone: the next one needs another."""
    name, *_, abi, _ = wheel.split("-")
    return _plain(name) == _plain(requirement.partition("==")[0]) and abi == f"cp{python.replace('.', '')}"


def needed() -> dict[str, str]:
    """Return the version of each package that spark-mode needs, as it is installed here for the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, str] = {}
    extras = project["optional-dependencies"]
    left = [*project["dependencies"], *(one for extra in EXTRAS for one in extras[extra])]
    while left:
        one = Requirement(left.pop())
        if _plain(one.name) not in found and _is_needed(one):
            found[_plain(one.name)] = distribution(one.name).version
            left += distribution(one.name).requires or []
    return found


def _is_needed(requirement: Requirement) -> bool:
    """Whether one of the Pythons needs it; what a package needs as an extra of its own is nobody's."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"python_version": python, "extra": ""}) for python in PYTHONS)


def _plain(name: str) -> str:
    """Return a name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(done.stderr)
