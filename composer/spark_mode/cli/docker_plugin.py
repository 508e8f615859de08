"""Being called by Docker as `docker spark …`: what Docker puts before the name, and what it asks a plugin.

Light: Docker asks every plugin for its metadata at each `docker --help`, `docker info` and completion.
"""

import json
import os
from collections.abc import Sequence

from spark_mode import __version__

NAME = "spark"
_WITH_VALUE = {
    **dict.fromkeys(("-c", "--context"), "DOCKER_CONTEXT"),
    **dict.fromkeys(("-H", "--host"), "DOCKER_HOST"),
    "--config": "DOCKER_CONFIG",
    **dict.fromkeys(("-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"), ""),
}
"""Docker's global options with a value, and the variable that says the same; those that decide nothing here have none."""
_OTHER_WAY = {"DOCKER_CONTEXT": "DOCKER_HOST", "DOCKER_HOST": "DOCKER_CONTEXT"}


def metadata() -> str:
    """Return what Docker asks a plugin for (docker/cli, cli-plugins/metadata)."""
    known = {"SchemaVersion": "0.1.0", "Vendor": "spark-mode", "Version": __version__}
    return json.dumps({**known, "ShortDescription": "Decide what runs on a DGX Spark"})


def own_arguments(arguments: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return what Docker wants, "run" or "complete", and the arguments after the plugin's name; None when it is not Docker.

    Docker's own options before the name become the environment variables that say the same, as they do for Docker.
    """
    if list(arguments[:2]) in (["__complete", NAME], ["__completeNoDesc", NAME]):
        return "complete", list(arguments[2:])
    if not os.environ.get("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"):
        return None
    left = list(arguments)
    while left:
        one = left.pop(0)
        if one == NAME:
            return "run", left
        option, value = _split(one)
        if option in _WITH_VALUE:
            _set(_WITH_VALUE[option], value if value is not None else left.pop(0) if left else "")
    return None


def _split(argument: str) -> tuple[str, str | None]:
    """Return an option and the value that is written in the same word, if there is one."""
    if argument.startswith("--"):
        option, equals, value = argument.partition("=")
        return option, value if equals else None
    return argument[:2], argument[2:].removeprefix("=") or None


def _set(variable: str, value: str) -> None:
    if variable:
        os.environ[variable] = value
        os.environ.pop(_OTHER_WAY.get(variable, ""), None)
