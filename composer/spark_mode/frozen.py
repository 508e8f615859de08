"""What all models share: once made, a record does not change."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A record that does not change. How one is validated is built when the first is made: a command uses half of them."""

    model_config = ConfigDict(frozen=True, defer_build=True)
