"""What all models share: once made, a record does not change."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A record that does not change."""

    model_config = ConfigDict(frozen=True)
