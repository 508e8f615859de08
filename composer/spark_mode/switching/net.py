"""The one net under a switch: whatever nobody expected is a step that failed, and so takes the way back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

from spark_mode.errors import SparkModeError, StepFailed


class Unexpected(StepFailed):
    """Something was raised that nobody expected; the message says what, and where."""


@contextmanager
def net(*expected: type[Exception]) -> Iterator[None]:
    """Raise Unexpected, with what it was and where, in place of anything but a failed step and what is `expected`.

    What is no Exception passes: a second signal, or the end of the process, which the journal is for.
    """
    try:
        yield
    except StepFailed:
        raise
    except expected:
        raise
    except Exception as error:  # over a lab that was changed a traceback helps nobody
        raise Unexpected(described(error)) from error


def described(error: Exception) -> str:
    """Return what to say of an error that nobody expected; what spark-mode raises itself says enough."""
    if isinstance(error, SparkModeError):
        return error.message
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    return f"{text} (unexpected, at {place(error)}; this is a fault of spark-mode: please report this line)"


def place(error: Exception) -> str:
    """Return where an error was raised: file and line."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
