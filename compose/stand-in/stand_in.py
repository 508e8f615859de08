"""A stand-in for any service of the audio lab. Only its model is missing; what Docker sees of it is real.

It takes time to load, holds memory that counts, answers GET /health, and leaves when Docker asks it to. The training
stand-in also makes progress, and keeps it in a checkpoint; that of Ollama serves models, see models.py.

A lab is started again and again by those who try it, and thousands of times by its tests: what takes long to import (http.server,
json, pathlib and typing took a start 70 ms of a processor instead of 25) is imported where it is needed, or done without.

    python3 -m stand_in SERVICE

    STAND_IN_LOAD     seconds until it is healthy
    STAND_IN_MEMORY   what it holds: `500MB`, or by TRAINING_BATCH `small=500MB,mid=750MB`
    STAND_IN_FAULT    what goes wrong, separated by commas
        crash-at-start               exits 1 at once
        never-healthy                loads, and never says that it has
        crash-after-healthy=SECONDS  exits 3 so long after it has loaded
        exit-0=SECONDS               exits 0 so long after it has loaded, like a training that is complete
        slow-stop=SECONDS            takes so long to stop
        stops-with=CODE              exits so when asked to stop, like a training whose checkpoint failed
        deaf                         does not stop when asked to
        grows=MB                     takes so much more memory each second, from the moment it has loaded
        needs=MB                     takes so much while it loads, whatever STAND_IN_MEMORY says
"""

import math
import os
import signal
import socket
import sys
import time
from threading import Thread

PORT = 8000
STEPS_PER_SECOND = 10
CHECKPOINT = "/checkpoints/checkpoint.json"
MEMORY = "/dev/shm"  # noqa: S108 - not a temporary folder: what lies in it is the memory that models would take
FAULTS = frozenset(
    ("crash-at-start", "never-healthy", "crash-after-healthy", "exit-0", "slow-stop", "stops-with", "deaf", "grows", "needs")
)
STOP = {signal.SIGTERM, signal.SIGINT}
DAY = 24 * 60 * 60
LONGEST_LINE = 8192


def say(text: str) -> None:
    """Print a line for `docker logs`."""
    print(text, flush=True)


def pairs(text: str) -> dict[str, str]:
    """Return `a=1,b` as {a: 1, b: ''}."""
    return {key: value for key, _, value in (item.strip().partition("=") for item in text.split(",")) if key}


def memory(text: str, batch: str) -> int:
    """Return the bytes of `187.5MB`, or of the size that is given for the batch."""
    size = pairs(text)[batch] if "=" in text else text
    return int(float(size.removesuffix("MB")) * 10**6)


def is_known(fault: str) -> bool:
    """Whether a fault is one of a stand-in, or of the models that one of them serves."""
    if fault in FAULTS or not fault.startswith("ollama-"):
        return fault in FAULTS
    import models

    return fault in models.FAULTS


class End:
    """Why the stand-in leaves, and with which exit code."""

    def __init__(self, code: int, because: str) -> None:
        self.code, self.because = code, because


class Fate:
    """What ends the stand-in: Docker, which asks with SIGTERM, or a fault."""

    def __init__(self, faults: dict[str, str]) -> None:
        if unknown := [fault for fault in faults if not is_known(fault)]:
            raise SystemExit(f"unknown fault: {', '.join(sorted(unknown))}")
        self.faults = faults
        self.deadline = math.inf
        self.end = End(0, "")
        # The signals wait until `within` takes them, so that nothing is ever interrupted halfway.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)

    def loaded(self) -> None:
        """Start the clock of the faults that count from here."""
        for fault, end in (("crash-after-healthy", End(3, "crashes")), ("exit-0", End(0, "is complete"))):
            if fault in self.faults:
                self.deadline = time.monotonic() + float(self.faults[fault])
                self.end = end

    def within(self, seconds: float) -> End | None:
        """Return the end as soon as it comes, or None after so many seconds without one."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < self.deadline:
            if signal.sigtimedwait(STOP, max(0, min(until, self.deadline) - now)):
                if "deaf" not in self.faults:
                    say("stopping")
                    time.sleep(float(self.faults.get("slow-stop", 0)))
                    return End(int(self.faults.get("stops-with", 0)), "stopped")
                say("asked to stop, and deaf")
            if time.monotonic() >= until:
                return None
        return self.end

    def wait(self) -> End:
        """Do nothing until the end comes."""
        while not (end := self.within(DAY)):
            pass
        return end


class Server:
    """Answers GET /health for the service, from the first moment on."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.ready = False
        self._listening = socket.create_server(("", PORT))
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        """Hear one request and answer it, if whoever asks waits for that."""
        try:
            with connection, connection.makefile("rwb") as lines:
                request = lines.readline(LONGEST_LINE).split()
                while lines.readline(LONGEST_LINE).strip():
                    pass  # its headers
                status, body = self._answer(request[1] if request[:1] == [b"GET"] and request[1:] else b"")
                head = f"HTTP/1.0 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                lines.write(f"{head}{body}".encode())
        except OSError:
            return

    def _answer(self, path: bytes) -> tuple[str, str]:
        """Return the status and the content for a path."""
        if path != b"/health":
            return "404 Not Found", '{"error": "there is only /health"}'
        if not self.ready:
            return "503 Service Unavailable", '{"status": "loading"}'
        return "200 OK", f'{{"status": "ok", "service": "{self.service}"}}'


def load(fate: Fate, seconds: float, size: int) -> End | None:
    """Take the memory bit by bit over the time that loading takes."""
    with open(f"{MEMORY}/weights", "wb") as weights:  # noqa: PTH123 - see above
        for tenth in range(10):
            os.posix_fallocate(weights.fileno(), size * tenth // 10, max(1, size // 10))
            say(f"loading weights {tenth * 10} %")
            if end := fate.within(seconds / 10):
                return end
    return None


def grow(size: int) -> None:
    """Take so many bytes more each second, as a leak would."""
    with open(f"{MEMORY}/growth", "wb") as file:  # noqa: PTH123 - see above
        for second in range(int(DAY)):
            os.posix_fallocate(file.fileno(), second * size, size)
            time.sleep(1)


def serve_models(faults: dict[str, str]) -> None:
    """Serve the models of STAND_IN_MODELS where Ollama would."""
    from pathlib import Path

    import models

    sizes = {name: memory(size, "") for name, size in pairs(os.environ.get("STAND_IN_MODELS", "")).items()}
    keep_alive, context = os.environ.get("OLLAMA_KEEP_ALIVE", "5m"), int(os.environ.get("OLLAMA_CONTEXT_LENGTH", "8192"))
    models.Ollama(11434, sizes, faults, Path(MEMORY), keep_alive, context)


def train(fate: Fate) -> End:
    """Count steps from the last checkpoint on; when asked to stop, finish the step and write the next one."""
    step = last_step()
    if step is None:
        step = 0
    else:
        say(f"resumed from the checkpoint at step {step}")
    while not (end := fate.within(0)):
        time.sleep(1 / STEPS_PER_SECOND)
        step += 1
        if step % STEPS_PER_SECOND == 0:
            say(f"step {step}, {STEPS_PER_SECOND} steps/s")
    if end.code == 0:
        write_checkpoint(step)
        say(f"wrote the checkpoint at step {step}")
    return end


def last_step() -> int | None:
    """Return the step of the last checkpoint, None where there is none."""
    if not os.access(CHECKPOINT, os.F_OK):
        return None
    import json

    with open(CHECKPOINT) as file:  # noqa: PTH123 - see above
        return int(json.load(file)["step"])


def write_checkpoint(step: int) -> None:
    """Replace the checkpoint so that a whole one is there at any moment, the next or the one before."""
    with open(f"{CHECKPOINT}.tmp", "w") as file:  # noqa: PTH123 - see above
        file.write(f'{{"step": {step}}}')
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{CHECKPOINT}.tmp", CHECKPOINT)  # noqa: PTH104 - see above
    directory = os.open(CHECKPOINT.rpartition("/")[0], os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def main(service: str) -> int:
    """Live as the service would, and return the exit code."""
    fate = Fate(pairs(os.environ.get("STAND_IN_FAULT", "")))
    if "crash-at-start" in fate.faults:
        print(f"{service} crashes at its start, as asked", file=sys.stderr)
        return 1
    server = Server(service)
    size = memory(os.environ["STAND_IN_MEMORY"], os.environ.get("TRAINING_BATCH", ""))
    size = memory(fate.faults["needs"], "") if "needs" in fate.faults else size
    if service == "ollama":
        serve_models(fate.faults)
    end = load(fate, float(os.environ["STAND_IN_LOAD"]), size)
    if not end:
        fate.loaded()
        server.ready = "never-healthy" not in fate.faults and time.monotonic() < fate.deadline
        say(f"{service} holds {size / 10**6:g} MB and " + ("is ready" if server.ready else "will never be ready"))
        if "grows" in fate.faults:
            Thread(target=grow, args=(memory(fate.faults["grows"], ""),), daemon=True).start()
        end = train(fate) if service == "training" else fate.wait()
    print(f"{service} {end.because}", file=sys.stderr if end.code else sys.stdout, flush=True)
    return end.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
