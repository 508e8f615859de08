"""rules.yaml from the disk, and the machine's capacity where it says `auto`."""

from collections.abc import Callable
from pathlib import Path

from spark_mode.engine.machine import MachineMemory
from spark_mode.errors import ConfigurationError
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import assumed_of_project
from spark_mode.lab.rules_reading import read_rules_and_assumed
from spark_mode.plain_file import read_plain


def read_rules_file(path: str, read: Callable[[Path], str] | None = None) -> Rules:
    """Return the rules of a file. Raises ConfigurationError, also when it cannot be read.

    `read` is told each file, such as the one that is extended, and returns its text.
    """
    return _read(path, read or text_of)[0]


def assumed_of_file(path: str, whole: Rules, project: Project) -> list[tuple[str, str]]:
    """Return what a rules file leaves out, as each section with what is assumed there; `whole` is what was made of it.

    Raises ConfigurationError as `read_rules_file` does.
    """
    written, assumed = _read(path, text_of)
    told = assumed_of_project(written, whole, project)
    return [(section, "; ".join(one[section] for one in (assumed, told) if section in one)) for section in {**assumed, **told}]


def _read(path: str, read: Callable[[Path], str]) -> tuple[Rules, dict[str, str]]:
    folder = Path(path).parent
    return read_rules_and_assumed(read(Path(path)), Path(path).name, lambda other: read(folder / other), _machine_memory)


def machine_capacity(rules: Rules) -> int:
    """Return the capacity in bytes that budgets reckon with: declared, or the machine's own where it says `auto`."""
    if rules.hardware.capacity != "auto":
        return rules.hardware.capacity
    total = _machine_memory()
    if total is None:
        raise ConfigurationError("hardware/capacity is auto, and this machine does not tell its memory", "declare the capacity")
    return total


def _machine_memory() -> int | None:
    return MachineMemory().memory().total


def text_of(path: Path) -> str:
    """Return the text of a rules file. Raises ConfigurationError."""
    try:
        return read_plain(path).decode()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "name the rules file with --rules") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text", "name the rules file with --rules") from None
