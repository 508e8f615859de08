"""A lab as somebody uses it who has the installed package alone: no checkout, and no option that a person would not enter."""

import fcntl
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.engine.lab import DEADLINE, ROOT, Lab, Outcome


class InstalledLab(Lab):
    """A lab in a folder of its own, which says by its name and its files which lab it is. `typed` is all that was entered.

    Without a `program`, the command of an installed package, it is used through forks.
    """

    def __init__(self, project: str, home: Path, program: Path | None) -> None:
        super().__init__(project, home)
        self.forked = program is None
        self.folder = home / project
        self.files, self.rules = (), None
        self.typed: list[str] = []
        self._program = program
        del self.environment["PYTHONPATH"]

    def arguments(self, *arguments: str) -> list[str]:
        assert self._program
        return [str(self._program), *arguments]

    def enter(self, line: str) -> Outcome:
        """Run a command of spark-mode as it is typed, to an end without an error."""
        self.typed.append(line)
        name, *words = shlex.split(line)
        assert name == "spark-mode"
        return self.run(*words)

    @property
    def keys(self) -> int:
        """How many keys were pressed, Enter included."""
        return sum(len(line) + 1 for line in self.typed)


def installed_once(of_this_run: Path) -> Path:
    """Return the command of an installation that all processes of a run of the tests share, by a folder of that run."""
    of_this_run.mkdir(exist_ok=True)
    with (of_this_run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = of_this_run / "environment/bin/spark-mode"
        return there if there.exists() else install(of_this_run)


def install(folder: Path) -> Path:
    """Build the wheel and install it into an environment of its own, which borrows what it depends on; return the command.

    Nobody is asked for a package. What is borrowed has spark-mode too, by a file that only its own environment reads.
    """
    wheels, environment = folder / "wheels", folder / "environment"
    _done(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels))
    (wheel,) = wheels.iterdir()
    _done(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = environment / "bin/python"
    into = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python), "install", "--no-compile")
    _done(sys.executable, *into, "--no-index", "--no-deps", str(wheel))
    own = Path(_done(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    found = _done(str(python), "-c", "import spark_mode; print(spark_mode.__file__)", folder=folder)
    assert Path(found).is_relative_to(own), found
    return environment / "bin/spark-mode"


def _done(*command: str, folder: Path = ROOT) -> str:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout
