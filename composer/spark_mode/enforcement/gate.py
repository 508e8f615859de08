"""The gate: what Docker Compose asks before it creates a service that names it (Compose's provider protocol).

Compose runs it as `spark-mode.gate.sh compose --project-name=P up --lab=FOLDER --rules=FILE --service=S GATE`, and reads
JSON lines. It changes nothing but its own lease. What it cannot judge it refuses: plain Compose works again without the gate.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from spark_mode.errors import SparkModeError
from spark_mode.plain_file import is_there

if TYPE_CHECKING:
    from spark_mode.planning.observed import Observed
    from spark_mode.session.session import Session

WITHOUT = "without the gate, and the rule: spark-mode gate uninstall"
METADATA = {
    "description": "Asks spark-mode whether a service may start",
    "up": {
        "parameters": [
            {"name": name, "description": what, "required": True, "type": "string"}
            for name, what in (("lab", "its folder"), ("rules", "its rules file"), ("service", "what is to start"))
        ]
    },
    "down": {"parameters": []},
}


class Question(NamedTuple):
    """What Compose asks: may this service of this project start?"""

    project: str
    lab: Path
    rules: str
    service: str


def run() -> NoReturn:
    """Answer Compose on standard output. Never returns."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    arguments = sys.argv[1:]
    if arguments[:2] == ["compose", "metadata"]:
        _leave(0, json.dumps(METADATA))
    try:
        question = read_question(arguments)
        reason = ask(question, os.getppid()) if question else None
    except SparkModeError as error:
        reason = f"{error.message}; {error.hint or WITHOUT}"
    if reason is None:
        _leave(0)
    _leave(1, json.dumps({"type": "error", "message": f"spark-mode: {reason}"}))


def read_question(arguments: Sequence[str]) -> Question | None:
    """Return what Compose asks; None where it asks nothing, as when it takes services down."""
    options = dict(one.removeprefix("--").partition("=")[::2] for one in arguments if one.startswith("--"))
    verbs = [one for one in arguments if not one.startswith("-")]
    if verbs[1:2] != ["up"]:
        return None
    missing = [name for name in ("project-name", "lab", "rules", "service") if not options.get(name)]
    if missing:
        raise SparkModeError(f"Compose did not say: {', '.join(missing)}", "write the gate anew: spark-mode gate install")
    return Question(options["project-name"], Path(options["lab"]), options["rules"], options["service"])


def ask(question: Question, asker: int) -> str | None:
    """Return why a service must not start, or give a process a lease to start it and return None.

    Raises SparkModeError for whatever prevents a judgement.
    """
    from spark_mode.sharing.process import process_began

    began = process_began(asker)
    if began is None:
        return "the Compose process that asked is gone"
    if gone := next((path for path in (question.lab, question.lab / question.rules) if not is_there(path)), None):
        raise SparkModeError(
            f"{gone} is gone, which this gate judges by", f"where the lab is now: spark-mode gate install; {WITHOUT}"
        )
    os.chdir(question.lab)
    session = _session(question)
    return judge(session, session.project.lab_name(question.project, question.service), asker, began)


def judge(session: "Session", service: str, asker: int, began: int) -> str | None:
    """Return why a service of a lab must not start, or give the process `asker` that `began` then a lease and return None.

    `service` is its name in the lab. Raises SparkModeError for whatever prevents a judgement.
    """
    from spark_mode.journal.understanding import UNDERSTOOD
    from spark_mode.planning.start_admission import start_refusal, the_command
    from spark_mode.sharing.leases import PASSING_SECONDS, Lease
    from spark_mode.sharing.lock import is_switching, user_name

    with session.leases.judging(session.clock):
        if is_switching(session.directories.locks):
            instead = the_command(service, session.project, session.rules)
            return f"a switch is running; wait for its end, or: {instead} --wait"
        if cut_off := session.journal_state.unfinished:
            return f"{cut_off}; first: spark-mode recover"
        if puzzle := session.journal_state.puzzle:
            return f"{puzzle}; {UNDERSTOOD}"
        session.leases.settle(session.clock, session.docker.containers)
        observed = session.observe()
        refusal = start_refusal(service, session.project, session.rules, observed, session.capacity)
        if refusal:
            return f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
        project, plain = session.project.part_of(service).name, session.project.plain_name(service)
        lease = Lease.give(service, project, asker, began, user_name(), observed.containers).model_copy(update={"service": plain})
        if _runs_as_it_should(service, session, observed):
            lease = lease.model_copy(update={"passes_until": session.clock.now() + PASSING_SECONDS})
        session.leases.add(lease)
    return None


def _session(question: Question) -> "Session":
    """Open the lab as the command line does there, whatever Compose was told beside it."""
    from spark_mode.session.discovery import Flags, find_lab
    from spark_mode.session.opening import open_lab

    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "SPARK_MODE_"))}
    flags = Flags(rules=question.rules, directory=str(question.lab))
    return open_lab(find_lab(flags, environment, question.lab).under(str(question.lab), question.project))


def _runs_as_it_should(service: str, session: "Session", observed: "Observed") -> bool:
    """Whether a service runs and Compose will leave it alone, so that there is nothing to start."""
    from spark_mode.planning.problem import is_current

    container, wanted = observed.container_of(service), session.project.services.get(service)
    return bool(container and wanted and container.active and is_current(container, wanted, observed))


def _leave(code: int, line: str | None = None) -> NoReturn:
    if line:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
