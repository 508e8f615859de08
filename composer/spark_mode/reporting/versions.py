"""Which programs answer here: the engine and Compose, asked without a lab."""

from spark_mode.engine.docker import EngineApi
from spark_mode.engine.local import local_socket
from spark_mode.engine.questions import ask, collect
from spark_mode.errors import SparkModeError


def engine_version() -> str | None:
    """Return the version of the engine that answers, None where none does."""
    try:
        return EngineApi(local_socket()).identity().version
    except SparkModeError:
        return None


def compose_version() -> str | None:
    """Return the version of Compose, None where it does not answer."""
    try:
        answer = collect({"version": ask(("version", "--short"), local_socket())})["version"]
        return answer.text("Docker Compose", "install it").strip().removeprefix("v")
    except SparkModeError:
        return None
