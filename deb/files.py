"""What the package has beside the program: the command, Docker's plugin, completions, the manual, the guard's unit."""

import gzip
import shlex
from pathlib import Path

from deb.programs import HOME, ROOT
from documents.manual import manual
from spark_mode.cli.completion import completion_script
from spark_mode.cli.main import cli
from spark_mode.cli.plugin import PACKAGED as PLUGIN
from spark_mode.cli.plugin import plugin_script
from spark_mode.enforcement.shared import PACKAGED_TMPFILES, tmpfiles_text
from spark_mode.enforcement.unit import PREFIX, SUFFIX, UNIT
from spark_mode.own_command import own_command
from spark_mode.sharing.directories import shared_directories

COMMAND = "/usr/bin/spark-mode"
PYTHON = f"/{HOME}/bin/python3"
COMPILE = f"{PYTHON} -P -E -m compileall -q -x /pygments/ /{HOME}/lib/python3"
SHELLS = {
    "bash": "usr/share/bash-completion/completions/spark-mode",
    "zsh": "usr/share/zsh/vendor-completions/_spark-mode",
    "fish": "usr/share/fish/vendor_completions.d/spark-mode.fish",
}
GUARD = """\
# The guard of the lab in a folder, of which the name of this unit has the path:
#   systemctl enable --now "$(systemd-escape --path --template=spark-mode-guard@.service /srv/lab)"
# The package does not enable it. `spark-mode guard install` writes a unit that says in full which lab it guards."""
RTUPDATE = f"""#!/bin/sh
# The machine's Python has become another one: compile for it.
[ "$1" != rtupdate ] || {COMPILE}
"""
DOCUMENTS = "usr/share/doc/spark-mode"


def write_files(tree: Path) -> None:
    """Write them into a tree, each where Debian has its kind."""
    write_text(tree, COMMAND, f'#!/bin/sh\nexec {PYTHON} -P -E -m spark_mode.cli "$@"\n', 0o755)
    write_text(tree, str(PLUGIN), _packaged(plugin_script()), 0o755)
    for shell, path in SHELLS.items():
        write_text(tree, path, _packaged(completion_script(shell, cli)).lstrip())
    write_text(tree, f"usr/lib/systemd/system/{PREFIX}{SUFFIX}", _unit())
    write_text(tree, str(PACKAGED_TMPFILES), tmpfiles_text().replace(tmpfiles_text().splitlines()[0], "# What all users share."))
    write_text(tree, "usr/share/python3/runtime.d/spark-mode.rtupdate", RTUPDATE, 0o755)
    write_text(tree, "usr/share/man/man1/spark-mode.1.gz", manual())
    write_text(tree, f"{DOCUMENTS}/copyright", (ROOT / "deb/copyright").read_text())
    write_text(tree, f"{DOCUMENTS}/NEWS.md.gz", (ROOT / "CHANGELOG.md").read_text())
    write_text(tree, "usr/share/lintian/overrides/spark-mode", (ROOT / "deb/lintian-overrides").read_text())


def _packaged(script: str) -> str:
    """Return a script that calls the package's command, and not the program that builds the package."""
    return script.replace(shlex.join(own_command()), COMMAND)


def _unit() -> str:
    shared = " ".join(f"-{path}" for path in shared_directories())
    return UNIT.format(mark=GUARD, project="%f", command=f"{COMMAND} -C %f guard", folder="%f", shared=shared)


def write_text(tree: Path, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file of a tree; one whose name says so is compressed, the same each time."""
    file = tree / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    contents = text.encode()
    file.write_bytes(gzip.compress(contents, mtime=0) if path.endswith(".gz") else contents)
    file.chmod(mode)
