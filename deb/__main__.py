"""Builds the Debian package for an architecture, this machine's if none is named: `python -m deb [ARCHITECTURE]`."""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deb.control import write_control
from deb.files import write_files
from deb.programs import put_programs
from spark_mode import __version__

ROOT = Path(__file__).parents[1]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What Debian and what Python's packages call the same machine."""


def build(architecture: str, folder: Path) -> Path:
    """Build the package into a folder, and return it. The packages that it contains come from where pip looks for packages."""
    package = folder / f"spark-mode_{__version__}_{architecture}.deb"
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as scratch:
        tree = Path(scratch, "tree")
        put_programs(tree, MACHINES[architecture], Path(scratch))
        write_files(tree)
        write_control(tree, architecture)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, stdout=subprocess.DEVNULL)
    return package


def main() -> None:
    """Build it into `dist`, and say where it is."""
    if not shutil.which("dpkg-deb"):
        sys.exit("A Debian package is built with dpkg-deb, on Debian or Ubuntu.")
    said = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    architecture = sys.argv[1] if len(sys.argv) > 1 else said
    if architecture not in MACHINES:
        sys.exit(f"{architecture} is none of {', '.join(MACHINES)}.")
    package = build(architecture, ROOT / "dist")
    print(f"{package.relative_to(ROOT)} is built: sudo apt install ./{package.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
