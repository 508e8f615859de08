"""A Docker configuration in which Compose costs half of what it costs: the tests start it thousands of times.

Before each command `docker` starts the Compose plugin once more, to be told its name and version, and spark-mode asks for its
version beside what it asks of files: here both answers are kept. And a process that ends at once need not collect garbage.
Everything else is passed on to the plugin that is there.
"""

import atexit
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from shlex import quote
from tempfile import mkdtemp

PLUGIN = "docker-compose"
QUESTION = "docker-cli-plugin-metadata"
VERSION = "version --short"
FOLDERS = [Path(root, kind, "docker/cli-plugins") for root in ("/usr/local", "/usr") for kind in ("lib", "libexec")]
"""Where Docker looks for plugins beside the user's own."""


@cache
def configuration() -> str:
    """Return the folder of that configuration, which is this user's in all else, for as long as this process lives."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folder = Path(mkdtemp(prefix="spark-mode-test-docker-"))
    atexit.register(shutil.rmtree, folder)
    (folder / "cli-plugins").mkdir()
    for found in (*own.glob("*"), *own.glob("cli-plugins/*")):
        if found.name not in ("cli-plugins", PLUGIN):
            (folder / found.relative_to(own)).symlink_to(found)
    plugin = next(str(one / PLUGIN) for one in (own / "cli-plugins", *FOLDERS) if (one / PLUGIN).exists())
    described, version = _answer(plugin, QUESTION), _answer("docker", "compose", *VERSION.split())
    answers = f'{QUESTION}) printf %s {quote(described)}; exit ;; "compose "*" {VERSION}") printf %s {quote(version)}; exit ;;'
    script = f'case "$*" in {answers} esac\nGOGC=off exec {quote(plugin)} "$@"\n'
    (folder / "cli-plugins" / PLUGIN).write_text(f"#!/bin/sh\n{script}")
    (folder / "cli-plugins" / PLUGIN).chmod(0o755)
    return str(folder)


def _answer(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
