"""rules.yaml from the disk, and the machine's capacity where it says `auto`."""

from collections.abc import Callable
from pathlib import Path

from spark_mode.engine.machine import MachineMemory
from spark_mode.errors import ConfigurationError
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules
from spark_mode.plain_file import read_plain


def read_rules_file(path: str, read: Callable[[Path], str] | None = None) -> Rules:
    """Return the rules of a file. Raises ConfigurationError, also when it cannot be read.

    `read` is told each file, such as the one that is extended, and returns its text.
    """
    folder, read = Path(path).parent, read or text_of
    return read_rules(read(Path(path)), Path(path).name, lambda other: read(folder / other))


def machine_capacity(rules: Rules) -> int:
    """Return the capacity in bytes that budgets reckon with: declared, or the machine's own where it says `auto`."""
    if rules.hardware.capacity != "auto":
        return rules.hardware.capacity
    total = MachineMemory().memory().total
    if total is None:
        raise ConfigurationError("hardware/capacity is auto, and this machine does not tell its memory", "declare the capacity")
    return total


def text_of(path: Path) -> str:
    """Return the text of a rules file. Raises ConfigurationError."""
    try:
        return read_plain(path).decode()
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "name the rules file with --rules") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text", "name the rules file with --rules") from None
