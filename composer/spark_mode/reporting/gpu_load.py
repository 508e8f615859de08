"""What the GPU does at this moment, as people and programs read it."""

from collections.abc import Iterator

from spark_mode.engine.doors import GpuReading
from spark_mode.frozen import Frozen


class GpuLoad(Frozen):
    """How busy it is in percent, its heat in °C, its power in W and its clock in MHz; None is unknown, as all of it may be."""

    utilisation: int | None = None
    celsius: int | None = None
    watts: float | None = None
    megahertz: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to say."""
        return any(value is not None for value in self.as_json().values())

    def __str__(self) -> str:
        return ", ".join(self._said())

    def _said(self) -> Iterator[str]:
        if self.utilisation is not None:
            yield f"{self.utilisation} % busy"
        if self.celsius is not None:
            yield f"{self.celsius} °C"
        if self.watts is not None:
            yield f"{self.watts:.0f} W"
        if self.megahertz is not None:
            yield f"{self.megahertz} MHz"

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form."""
        return {"utilisation": self.utilisation, "celsius": self.celsius, "watts": self.watts, "megahertz": self.megahertz}


def gpu_load(seen: GpuReading) -> GpuLoad:
    """Return what a reading says of this moment."""
    return GpuLoad(utilisation=seen.utilisation, celsius=seen.celsius, watts=seen.watts, megahertz=seen.megahertz)
