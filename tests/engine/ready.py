"""What is done once before spark-mode is forked, which each fork did anew: a third of the processor time that it took.

Pydantic makes what checks a record when it checks the first one; and a collection of garbage would look at, and so copy, all that
was imported.
"""

import gc

from pydantic import BaseModel

from tests.engine import forked  # noqa: F401 - each fork begins with it


def _build(model: type[BaseModel]) -> None:
    for one in model.__subclasses__():
        one.model_rebuild()
        _build(one)


_build(BaseModel)
gc.collect()
gc.freeze()
