"""One request on one machine, in the words of `spark-mode agent`: begun, let go on, dropped, brought back.

What is lost on the way is asked for again: the same id is the same request there.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.fleet.before_names import before_names
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.said import as_exit_code, as_object, as_text, read_json
from spark_mode.fleet.ssh import ABSENT, Answer, Door

BEGIN_SECONDS, DROP_SECONDS = 75.0, 40.0
"""How long a machine may take for an answer that is to come soon: longer than its own deadlines."""
LOST_SECONDS = 30.0
"""How long a machine that was lost is asked again before its state counts as unknown."""
AGAIN_SECONDS = 1.0
ABSENT_CODE = ConfigurationError.exit_code
LONGEST_SILENCE = 26.0
"""A connection that took longer to be lost than ssh takes to give one up was there at first."""
Tell = Callable[[str, Mapping[str, Any]], None]
"""Is told what happens: the name of the machine, and the event there."""
Now = Callable[[], float]
Sleep = Callable[[float], None]


class End(NamedTuple):
    """How a request stands on a machine.

    `admitted`: it has the lock and its plan, and waits for its word. `ended`: it is over, with this exit code and outcome.
    `lost`: what has become of it is not known.
    """

    node: str
    state: Literal["admitted", "ended", "lost"]
    code: int = 0
    outcome: str = ""
    mode: str = ""
    message: str = ""
    hint: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether the machine has confirmed that what was asked for is so."""
        return self.state == "ended" and self.code == 0 and self.outcome in ("applied", "unchanged", "recovered")


class Asked:
    """A request with its id, on whatever machines it is asked of. `may_go` says that its word was given, or is on its way."""

    def __init__(self, door: Door, name: str, verb: str, words: Sequence[str], now: Now, sleep: Sleep, tell: Tell) -> None:
        self._door, self.name, self._verb, self._words = door, name, verb, tuple(words)
        self._now, self._sleep, self._tell = now, sleep, tell
        self.may_go = False

    def begin(self, node: Node, lease: float, digest: str | None) -> End:
        """Have a machine take its lock and make its plan, which must be the one with this digest. Changes nothing yet."""
        expected = (f"--expect={digest}",) if digest else ()
        words = ("begin", f"--lease={lease:g}", f"--verb={self._verb}", self.name, *before_names(self._words, *expected))
        return self._end(node, self._door.ask(node, ("agent", "--protocol=1", *words), BEGIN_SECONDS), BEGIN_SECONDS)

    def go(self, node: Node) -> End:
        """Let it go on, and follow it to its end."""
        self.may_go = True
        return self._again(node, ("go", self.name), None)

    def drop(self, node: Node) -> End:
        """Have it let go of its lock, with nothing done."""
        return self._end(node, self._door.ask(node, ("agent", "drop", self.name), DROP_SECONDS), DROP_SECONDS)

    def back(self, node: Node, lab: Sequence[str]) -> End:
        """Have what ran before come back; `lab` are the options that name the lab there."""
        return self._again(node, ("back", self.name, "--", *lab), None)

    def _again(self, node: Node, words: Sequence[str], seconds: float | None) -> End:
        """Ask, and where the connection is lost ask again, until a machine has been silent for too long. The end is one, or lost.

        Whoever asks again is told everything again, from the beginning: here each event is told once.
        """
        events = known = 0

        def told(line: str) -> None:
            nonlocal events, known
            if said := as_object(as_object(read_json(line)).get("told")):
                events += 1
                if events > known:
                    known = events
                    self._tell(node.name, said)

        lost = None
        while True:
            asked, events = self._now(), 0
            answer = self._door.ask(node, ("agent", *words), seconds, told)
            end = _over(self._end(node, answer, LOST_SECONDS), answer)
            if end.state != "lost" or answer.code is not None:
                return end
            was_there = answer.out or self._now() - asked > LONGEST_SILENCE
            lost = self._now() if lost is None or was_there else lost
            if self._now() - lost >= LOST_SECONDS:
                return end
            self._sleep(AGAIN_SECONDS)

    def _end(self, node: Node, answer: Answer, seconds: float) -> End:
        """Return how a request stands by what a machine has answered."""
        said = _said(answer.out)
        if said is None:
            return unanswered(node, answer)
        if ended := as_object(said.get("ended")):
            error = as_object(ended.get("error"))
            return End(
                node=node.name,
                state="ended",
                code=as_exit_code(ended.get("exit_code")),
                outcome=as_text(ended.get("outcome")) or "failed",
                mode=as_text(ended.get("mode")),
                message=as_text(error.get("message")) or as_text(ended.get("note")),
                hint=as_text(error.get("hint")) or None,
            )
        if said.get("state") == "told":
            return End(node=node.name, state="admitted")
        if said.get("state") == "unknown":
            return End(node=node.name, state="ended", code=1, outcome="refused", message="it knows nothing of this request")
        message = f"it is not ready within {seconds:g} s" if said.get("state") == "late" else "its command was killed there"
        return End(node=node.name, state="lost", message=as_text(said.get("words")) or message)


def _over(end: End, answer: Answer) -> End:
    """Return the end of a request whose word was given: whatever is none says nothing of what became of it."""
    if "ended" in (_said(answer.out) or {}) and end.state == "ended":
        return end
    return End(node=end.node, state="lost", message=end.message or "it does not say how that ended", hint=end.hint)


def unanswered(node: Node, answer: Answer) -> End:
    """Return what a machine's silence means, or an answer that is not what was asked for."""
    if answer.code is None:
        return End(node=node.name, state="lost", message=(answer.errors or "the connection is lost").splitlines()[-1])
    if answer.code == ABSENT:
        where = "" if "/" in node.command else " on the PATH of ssh's commands"
        message = f"there is no {node.command}{where} there"
        hint = f"name the program in fleet.yaml: {node.name}: {{command: PATH}}"
        return End(node=node.name, state="ended", code=ABSENT_CODE, outcome="refused", message=message, hint=hint)
    message, _, hint = told_by(answer.errors).partition("\n  → ")
    if 'command "agent"' in message:
        message, hint = "its spark-mode is too old to be asked for this", "have the same version on all machines"
    message = message or (f"it exited with {answer.code}" if answer.code else "no answer")
    return End(
        node=node.name,
        state="ended",
        code=as_exit_code(answer.code) or 1,
        outcome="refused",
        message=message,
        hint=hint or None,
    )


def why_not(node: Node, answer: Answer) -> str:
    """Return why a machine has not done what was asked, and what to do about it; nothing where it has."""
    if answer.code == 0:
        return ""
    end = unanswered(node, answer)
    said = f"unknown: {end.message}" if end.state == "lost" else end.message
    return f"{said}\n  → {end.hint}" if end.hint else said


def worst(answers: Collection[Answer]) -> int:
    """Return 6 where a machine is unknown, else the highest exit code."""
    return EngineUnavailable.exit_code if any(one.code is None for one in answers) else max(map(code_of, answers), default=0)


def code_of(answer: Answer) -> int:
    """Return the exit code of ours that an answer means."""
    if answer.code is None:
        return EngineUnavailable.exit_code
    return ABSENT_CODE if answer.code == ABSENT else as_exit_code(answer.code)


def told_by(errors: str) -> str:
    """Return what spark-mode has said on a machine, without what a login wrote before it; all where that is none of it."""
    _, found, said = errors.rpartition("spark-mode: ")
    return (said if found else errors).strip()


def _said(out: str) -> dict[str, Any] | None:
    """Return the answer of `agent`; what a login prints beside it is none of ours."""
    return next((one for line in reversed(out.splitlines()) if "agent" in (one := as_object(read_json(line)))), None)
