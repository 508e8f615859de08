"""A guard in the background of a test."""

import subprocess

from tests.engine.lab import Lab, ends, interrupt


class Guarding:
    """A guard in the background; `said` is what it printed once it has ended."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.process = self._start()
        self.said = ""

    def _start(self) -> "subprocess.Popen[str]":
        process = self.lab.spawn("guard")
        assert process.stdout is not None
        assert process.stdout.readline().startswith("guarding")
        return process

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.communicate()

    def restart(self) -> None:
        """Start again, as systemd does."""
        self.process = self._start()

    def end(self) -> str:
        """Ask it to end; return what it said."""
        interrupt(self.process)
        end = ends(self.process)
        assert end.code == 0, end
        return end.out
