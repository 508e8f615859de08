"""What `init` shows of a project: what each service is, what it takes, and what that rests on."""

from collections.abc import Sequence

from spark_mode.cli.tables import columns
from spark_mode.init.propose import Proposal
from spark_mode.init.survey import Survey, elsewhere
from spark_mode.init.tables import SUPPORT
from spark_mode.lab.rules import WITHOUT_GPU
from spark_mode.lab.size import gb_text


def sizes_table(seen: Survey, proposal: Proposal, width: int | None = None) -> str:
    """Return what each service and model is, what it takes, and what that rests on."""
    rows = [
        (one.name, one.class_, gb_text(one.size.planned) if one.known else "unknown", one.size.evidence)
        for one in proposal.workloads
    ]
    rows += [(host, "host", "-", "serves models, which have sizes") for host in proposal.hosts]
    named = {one.name for one in proposal.workloads}
    helpers = [
        one for name, one in seen.placed.items() if not one.gpu and name not in named and not elsewhere(seen.project, name)
    ]
    beside = [
        (one.name, "one-shot" if one.one_shot else SUPPORT, gb_text(WITHOUT_GPU.planned), "without a GPU") for one in helpers
    ]
    return columns([("SERVICE", "CLASS", "SIZE", "IT RESTS ON"), *rows, *beside], right=(2,), width=width)


def shortened(lines: Sequence[str], between: str, most: int, rest: str = "") -> str:
    """Return lines as one text, the first of them where there are too many, and where the rest is to be seen."""
    more = [f"and {len(lines) - most} more{rest}"] if len(lines) > most else []
    return between.join([*lines[:most], *more])
