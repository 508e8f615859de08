"""What is broken and holds up neither a stop nor a guard: rules, journal and leases. For anything else it is an error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from spark_mode.errors import ConfigurationError

Found = TypeVar("Found")


class Forgiveness:
    """Whether what is broken is passed over; `faults` has what was, in words."""

    def __init__(self) -> None:
        self.granted = False
        self.faults: dict[str, None] = {}

    @contextmanager
    def given(self) -> Iterator[None]:
        """Pass over what is broken meanwhile; `faults` has what was since the beginning."""
        former, self.granted = self.granted, True
        self.faults.clear()
        try:
            yield
        finally:
            self.granted = former

    def forgive(self, fault: ConfigurationError) -> None:
        """Pass a fault over, where that is granted; else raise it."""
        if not self.granted:
            raise fault
        self.faults[fault.message] = None

    def of(self, ask: Callable[[], tuple[Found, ...]]) -> Callable[[], tuple[Found, ...]]:
        """Return the same question, to which a fault that is forgiven answers nothing."""

        def asked() -> tuple[Found, ...]:
            try:
                return ask()
            except ConfigurationError as error:
                self.forgive(error)
                return ()

        return asked
