"""Asking Compose about the lab before anything heavy is imported: the answers come while Python still loads."""

from typing import TYPE_CHECKING

from composer.engine.compose_files import ComposeFiles
from composer.engine.local import local_socket

if TYPE_CHECKING:
    from composer.engine.compose_files import LabPaths


def ask_compose(files: "LabPaths", only_config: bool = False) -> ComposeFiles:
    """Ask, and return what to hand to `Session.open`. Raises ConfigurationError and EngineUnavailable as it does."""
    asked = ComposeFiles(files, local_socket(), only_config)
    asked.prefetch()
    return asked
