"""What a plan does, in a word: who agreed to it can say so, and is told what is another by now.

The parts are digested one by one, so that what changed can be named. What no one decides by is in none of them: causes, warnings,
figures of memory, the waits and the last look.
"""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256

from spark_mode.planning.plan import AwaitRelease, Plan, Step, Stop, Unload, Verify

LENGTH = 12
"""Characters of the digest of a part: enough to tell plans of one lab apart; it keeps no secret and proves nothing."""
FORM = rf"[0-9a-f]{{{LENGTH}}}(-[0-9a-f]{{{LENGTH}}}){{4}}"
"""A digest, as a regular expression."""


def digest_of(plan: Plan) -> str:
    """Return the digest of a plan: the same as long as it does the same."""
    return "-".join(sha256(json.dumps(part).encode()).hexdigest()[:LENGTH] for _, part in _parts(plan))


def what_changed(digest: str, plan: Plan) -> str | None:
    """Return in what a plan is not the one of this digest, as the end of a sentence; None where it is that one."""
    shown = digest.split("-")
    now = digest_of(plan).split("-")
    return next((said for (said, _), one, other in zip(_parts(plan), shown, now, strict=True) if one != other), None)


def _parts(plan: Plan) -> Iterator[tuple[str, object]]:
    """Yield what a plan does, part by part, each with the words for it."""
    stops = [step for step in plan.steps if isinstance(step, Stop | Unload)]
    comes = [step for step in plan.steps if not isinstance(step, Stop | Unload | AwaitRelease | Verify)]
    names = [*plan.target, *plan.target_models]
    yield f"it is the plan of {plan.request}", plan.request
    yield f"it stops {_listed([step.subject for step in stops])}", [_what(step) for step in stops]
    yield f"what is asked for is {_listed(names)}", [names, sorted(plan.variants.items())]
    yield f"its steps to that are {_listed([f'{step.action} {step.subject}' for step in comes])}", [_what(step) for step in comes]
    yield f"what goes on beside it is {_listed(plan.keep or ())}", plan.keep


def _what(step: Step) -> list[object]:
    """Return what a step does, to which container where it names one."""
    return [step.action, step.subject, *step.model_dump(include={"containers", "container"}, mode="json").values()]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "nothing"
