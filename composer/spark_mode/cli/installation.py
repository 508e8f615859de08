"""What `setup` puts where Docker, shells and sudo look, and `uninstall` takes away again: a file each, with a mark of ours."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from spark_mode.cli.completion import completion_script
from spark_mode.cli.for_sudo import SUDOS_PATH
from spark_mode.cli.plugin import MARK as PLUGIN_MARK
from spark_mode.cli.plugin import plugin_path, plugin_script
from spark_mode.own_command import own_command
from spark_mode.plain_file import plain_text

MARK = "# Installed by: spark-mode setup"
FOR_SUDO = Path("usr/local/bin/spark-mode")
PACKAGED = Path("/usr/lib/spark-mode")
"""Where the Debian package keeps the program, with all else that `setup` would put in place."""
OF_ALL = {
    "bash": "usr/local/share/bash-completion/completions/spark-mode",
    "zsh": "usr/local/share/zsh/site-functions/_spark-mode",
    "fish": "usr/local/share/fish/vendor_completions.d/spark-mode.fish",
}
OF_USER = {
    "bash": ".local/share/bash-completion/completions/spark-mode",
    "zsh": ".local/share/zsh/site-functions/_spark-mode",
    "fish": ".config/fish/completions/spark-mode.fish",
}
"""Where each shell looks for what completes a command; zsh in a user's own folder only once it is told to."""


class OwnFile(NamedTuple):
    """A file that is put in place, and what it is for. `needs` is the program without which nobody would look at it."""

    purpose: str
    path: Path
    mark: str
    text: str
    mode: int
    needs: str

    @property
    def is_wanted(self) -> bool:
        """Whether it would be of use, and is not there as it should be."""
        return bool(shutil.which(self.needs)) and plain_text(self.path) != self.text

    @property
    def is_there(self) -> bool:
        """Whether a file with the mark lies there that calls this installation; that of another one stays."""
        text = plain_text(self.path) or ""
        return self.mark in text and sys.executable in text


def is_packaged() -> bool:
    """Whether this program is the Debian package's, which has all of these files among its own."""
    return Path(sys.prefix) == PACKAGED


def own_files(system: bool, cli: click.Command, root: Path = Path("/")) -> Iterator[OwnFile]:
    """Yield the files for all users of this machine, or for the one who asks."""
    if is_packaged():
        return
    plugin = root / plugin_path(system).relative_to("/") if system else plugin_path(system)
    yield OwnFile("`docker spark` is spark-mode", plugin, PLUGIN_MARK, plugin_script(), 0o755, "docker")
    for shell, path in (OF_ALL if system else OF_USER).items():
        where = (root if system else Path.home()) / path
        text = f"{completion_script(shell, cli).strip()}\n{MARK}\n"
        yield OwnFile(f"{shell} completes spark-mode", where, MARK, text, 0o644, shell)
    if system and shutil.which("spark-mode", path=SUDOS_PATH) in (None, f"/{FOR_SUDO}"):
        script = f'#!/bin/sh\n{MARK}\nexec {shlex.join(own_command())} "$@"\n'
        yield OwnFile("sudo finds spark-mode, and so does every user", root / FOR_SUDO, MARK, script, 0o755, "sh")


def how_to_remove(prefix: Path | None = None) -> str:
    """Return the command that takes the program itself away, by where it lies: what its package manager calls a prefix."""
    prefix = prefix or Path(sys.prefix)
    if prefix == PACKAGED:
        return "sudo apt remove spark-mode"
    if "pipx" in prefix.parts:
        return f"pipx uninstall {'--global ' * prefix.is_relative_to('/opt')}spark-mode"
    if prefix.parts[-3:-1] == ("uv", "tools"):
        return "uv tool uninstall spark-mode"
    return f"{shlex.quote(str(prefix / 'bin/python'))} -m pip uninstall spark-mode"
