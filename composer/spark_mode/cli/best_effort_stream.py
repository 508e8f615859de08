"""A stream for people that may go away: a closed terminal or a full disk must not end what is being done."""

from typing import TextIO


class BestEffortStream:
    """A text stream that drops what cannot be written."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return self._stream.encoding if self._stream else "utf-8"

    @property
    def errors(self) -> str:
        """What the stream does with what it cannot encode."""
        return (self._stream.errors or "strict") if self._stream else "replace"

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return self._stream.write(text) if self._stream else len(text)
        except (OSError, ValueError):  # ValueError: it is closed
            self._stream = None
            return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            if self._stream:
                self._stream.flush()
        except (OSError, ValueError):
            self._stream = None

    def isatty(self) -> bool:
        """Whether somebody looks."""
        try:
            return bool(self._stream and self._stream.isatty())
        except ValueError:
            return False

    def fileno(self) -> int:
        """Return the descriptor. Raises OSError where there is none."""
        if self._stream is None:
            raise OSError("there is nowhere to write")
        return self._stream.fileno()
