"""Asking Compose about the lab before anything heavy is imported: the answers come while Python still loads."""

from typing import TYPE_CHECKING

from composer.engine.compose_files import ComposeFiles
from composer.engine.local import local_socket
from composer.engine.project_cache import ProjectCache
from composer.switching.directories import directories

if TYPE_CHECKING:
    from composer.engine.compose_files import LabPaths


def ask_compose(files: "LabPaths") -> ComposeFiles:
    """Ask, and return what to hand to `Session.open`. Raises ConfigurationError and EngineUnavailable as it does."""
    socket = local_socket()
    asked = ComposeFiles(files, socket, ProjectCache(files, socket, directories().state))
    asked.prefetch()
    return asked
