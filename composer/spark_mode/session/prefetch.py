"""Asking Compose before anything heavy is imported: what is not kept, it answers while Python still loads, which saves 50 ms."""

from contextlib import suppress
from typing import NamedTuple

from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.engine.local import local_socket
from spark_mode.engine.project_cache import ProjectCache, inputs_of
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.session.inputs import digests
from spark_mode.sharing.directories import directories


class PendingAnswers(NamedTuple):
    """Questions that are on their way, for each Compose project, and the digests of the files before Compose was asked."""

    compose: tuple[ComposeFiles, ...]
    inputs: dict[str, str]


def ask_compose(files: LabFiles) -> PendingAnswers:
    """Ask, and return what to hand to `Session.open`. Raises EngineUnavailable as it does."""
    socket, before = local_socket(), digests(path for one in files.each for path in inputs_of(one))
    state = directories(forgive=lambda _: None).state  # that the locks are there is for a switch to see to
    asked = tuple(ComposeFiles(one, socket, ProjectCache(one, socket, state)) for one in files.each)
    for one in asked:
        with suppress(ConfigurationError):  # which it says again when it is read
            one.prefetch()
    return PendingAnswers(asked, before)
