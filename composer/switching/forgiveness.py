"""What is broken and does not hold a stop up: rules, journal and leases. For anything else it is an error."""

from collections.abc import Callable
from typing import TypeVar

from composer.errors import ConfigurationError

Found = TypeVar("Found")


class Forgiveness:
    """Whether what is broken is passed over; `faults` has what was, in words."""

    def __init__(self) -> None:
        self.granted = False
        self.faults: dict[str, None] = {}

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
