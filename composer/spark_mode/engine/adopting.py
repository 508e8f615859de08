"""Being the parent of what a command leaves: a worker that gave its mark and its session away is still found by descent."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ADOPTS = "spark-mode-run"
"""What this process is called meanwhile; the kernel shows it to everybody, and allows 15 characters."""
_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
_OWN_NAME = Path("/proc/self/comm")


@contextmanager
def adopting() -> Iterator[None]:
    """Have whatever loses its parent beneath this process become its child, and its name say so, until this ends.

    Meanwhile it has no children of its own but the command. A kernel that does not do that leaves all as it is.
    """
    import ctypes  # 10 ms, which only a command pays

    prctl = ctypes.CDLL(None).prctl
    if prctl(_SUBREAPER, 1, 0, 0, 0) != 0:
        yield
        return
    former = _named(ADOPTS)
    try:
        yield
    finally:
        _named(former)
        prctl(_SUBREAPER, 0, 0, 0, 0)


def _named(name: str) -> str:
    """Give this process a name, and return the one that it had; without /proc it has none."""
    with suppress(OSError):
        former = _OWN_NAME.read_text().rstrip("\n")
        _OWN_NAME.write_text(name)
        return former
    return ""
