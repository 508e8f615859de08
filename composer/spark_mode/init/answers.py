"""What was answered to the questions of `init`, and what becomes of a survey with that."""

from collections.abc import Mapping
from typing import NamedTuple

from spark_mode.init.place import Placed
from spark_mode.init.sizing import Size
from spark_mode.init.survey import Survey
from spark_mode.init.tables import OTHER, TRAINING


class Answers(NamedTuple):
    """As it is, what holds without any answer.

    `sizes` are bytes by workload, `apart` pairs of workloads, `long_runs` workloads that run to their end, `limits` bytes by key.
    """

    sizes: Mapping[str, int] = {}
    apart: tuple[tuple[str, str], ...] = ()
    long_runs: frozenset[str] | None = None
    limits: Mapping[str, int] = {}


NOTHING = Answers()


def with_answers(seen: Survey, answers: Answers) -> Survey:
    """Return what is seen of a project with the sizes and the long runs that were answered."""
    said = {name: Size(size, size, size, "as you said") for name, size in answers.sizes.items()}
    return seen._replace(
        sizes={name: said.get(name, size) for name, size in seen.sizes.items()},
        models={
            host: tuple(one._replace(size=said.get(one.name, one.size)) for one in models) for host, models in seen.models.items()
        },
        placed={name: _placed(one, answers.long_runs) if name in seen.sizes else one for name, one in seen.placed.items()},
    )


def _placed(one: Placed, long_runs: frozenset[str] | None) -> Placed:
    if long_runs is None or (one.name in long_runs) == (one.class_ == TRAINING):
        return one
    return one._replace(class_=TRAINING if one.name in long_runs else OTHER)
