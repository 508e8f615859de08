"""A plan that may be carried out, or the error, with its exit code, of why not."""

from spark_mode.errors import ConfigurationError, EngineUnavailable, Refused, SparkModeError
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Refusal
from spark_mode.planning.request import Request
from spark_mode.session.session import Session

_FAULTS = {"rule": Refused, "configuration": ConfigurationError, "unknown": EngineUnavailable}


def refuse(refusal: Refusal) -> SparkModeError:
    """Return the error, with its exit code, for a refusal that stands on a plan."""
    return _FAULTS[refusal.kind](refusal.message, refusal.hint)


def admitted(session: Session, request: Request, observed: Observed) -> Plan:
    """Return the plan of a request. Raises Refused, ConfigurationError or EngineUnavailable where it has a refusal."""
    plan = session.judged(request, observed)
    if plan.refusal:
        raise refuse(plan.refusal)
    return plan
