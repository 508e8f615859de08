"""A command of the user: it waits for its turn, has the terminal and the signals, and is one as long as its group runs."""

import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath
from typing import Self

import pytest

from spark_mode.engine.child_command import ChildCommand
from spark_mode.sharing.command_processes import Leader, processes_of
from spark_mode.sharing.process import group_runs, process_began

DEADLINE = 20
RUNS = """
    import os, sys
    from spark_mode.engine.child_command import ChildCommand
    command = ChildCommand(sys.argv[1:])
    print(command.make(), flush=True)
"""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def spawned(then: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a program that makes a command, says its process's number, and goes on as is said; it ends with the test."""
    program = textwrap.dedent(RUNS) + then
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def says(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def code_of(*words: str) -> int:
    command = ChildCommand(words)
    command.make()
    return command.run()


def test_it_runs_in_the_folder_where_it_was_typed(tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text("#!/bin/sh\npwd > here\n")
    (tmp_path / "train.sh").chmod(0o755)
    command = ChildCommand(("./train.sh",), str(tmp_path))
    command.make()
    assert command.run() == 0
    assert (tmp_path / "here").read_text().strip() == str(tmp_path)


@pytest.mark.parametrize("code", [0, 1, 3, 42, 126, 127, 130, 255])
def test_its_exit_code_is_the_one_that_it_ended_with(code: int) -> None:
    assert code_of("sh", "-c", f"exit {code}") == code


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE])
def test_a_command_that_a_signal_ended_has_the_code_that_a_shell_gives(number: signal.Signals) -> None:
    assert code_of("sh", "-c", f"kill -{number.value} $$") == 128 + number


def test_a_program_that_cannot_run_ends_as_in_a_shell(tmp_path: Path) -> None:
    assert code_of(str(tmp_path / "absent")) == 127
    (tmp_path / "data").write_text("x")
    assert code_of(str(tmp_path / "data")) == 126


def test_it_has_its_words_and_its_environment_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert code_of("sh", "-c", 'printf "%s|" "$@" "$SPARK_MODE_RUN" "$$" >"$0"', str(out), "a b", "--x", "", "line\nbreak") == 0
    *words, inside, pid = out.read_text().split("|")[:-1]
    assert words == ["a b", "--x", "", "line\nbreak"]
    assert inside.partition(".")[0] == pid


def test_it_does_nothing_before_its_turn_and_nothing_when_it_is_dropped(tmp_path: Path) -> None:
    command = ChildCommand(["touch", str(tmp_path / "ran")])
    pid = command.make()
    assert group_runs(pid, process_began(pid) or 0)
    command.drop()
    assert process_began(pid) is None
    assert list(tmp_path.iterdir()) == []
    command.drop()


def test_a_command_that_waits_ends_with_a_maker_that_is_killed(tmp_path: Path) -> None:
    with spawned("input()", "touch", str(tmp_path / "ran")) as process:
        pid = int(says(process))
        process.kill()
    until(lambda: process_began(pid) is None)
    assert list(tmp_path.iterdir()) == []


def test_one_that_runs_lives_on_when_its_maker_is_killed() -> None:
    with spawned("command.run()", "sh", "-c", "echo runs; exec sleep 60") as process:
        pid = int(says(process))
        assert says(process) == "runs"
        process.kill()
    began = process_began(pid)
    assert began is not None
    assert group_runs(pid, began)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not group_runs(pid, began))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_is_passed_on_and_the_commands_own_answer_counts(number: signal.Signals) -> None:
    script = f"trap 'exit 7' {number.value}; echo runs; while :; do sleep 0.05; done"
    with spawned("sys.exit(command.run())", "sh", "-c", script) as process:
        says(process)
        assert says(process) == "runs"
        process.send_signal(number)
        assert process.wait(DEADLINE) == 7


def test_what_a_killed_script_leaves_still_counts_and_a_number_that_was_given_anew_does_not(tmp_path: Path) -> None:
    left = tmp_path / "left"
    with spawned(
        "sys.exit(command.run())", "sh", "-c", f'sleep 60 & echo $! >"{left}.new"; mv "{left}.new" "{left}"; wait'
    ) as process:
        pid = int(says(process))
        began = process_began(pid) or 0
        until(left.exists)
        os.kill(pid, signal.SIGKILL)
        assert process.wait(DEADLINE) == 137
    assert group_runs(pid, began)
    os.kill(int(left.read_text()), signal.SIGKILL)
    until(lambda: not group_runs(pid, began))
    mine = process_began(os.getpid()) or 0
    assert group_runs(os.getpid(), mine)
    assert not group_runs(os.getpid(), mine - 1)


SIGNALLED = """
    import os, signal, sys
    from spark_mode.engine.child_command import passing_on
    os.setuid(65534)
    with passing_on(int(sys.argv[1])):
        os.kill(os.getpid(), signal.SIGTERM)
        print("waits on")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start something as another user")
def test_a_signal_for_a_command_of_another_user_is_said_not_to_reach_it_and_ends_nothing() -> None:
    with subprocess.Popen(["sleep", "60"], process_group=0) as theirs:
        ours = [sys.executable, "-c", textwrap.dedent(SIGNALLED), str(theirs.pid)]
        heard = subprocess.run(ours, capture_output=True, text=True, check=True)
        assert theirs.poll() is None
        theirs.kill()
    assert heard.stdout == "waits on\n"
    assert f"so SIGTERM does not reach it: sudo kill -TERM -- -{theirs.pid}" in heard.stderr


APART = """
import subprocess, sys
script = 'env -i sleep 60 & echo $$ $! >"$0.new"; mv "$0.new" "$0"; wait'
subprocess.Popen(["sh", "-c", script, sys.argv[1]], start_new_session=True).wait()
"""


def test_what_works_in_a_session_of_its_own_counts_when_all_the_rest_has_ended(tmp_path: Path) -> None:
    left = tmp_path / "left"
    with spawned("sys.exit(command.run())", sys.executable, "-c", APART, str(left)) as process:
        pid = int(says(process))
        began = process_began(pid) or 0
        until(left.exists)
        worker, without_environment = map(int, left.read_text().split())
        assert processes_of(Leader(pid, began)) >= {pid, worker, without_environment}
        os.kill(pid, signal.SIGKILL)
        assert process.wait(DEADLINE) == 137
    assert not group_runs(pid, began)
    assert processes_of(Leader(pid, began)) == {worker, without_environment}
    assert processes_of(Leader(pid, began - 1)) == set(), "another one that had its number"
    os.killpg(worker, signal.SIGKILL)
    until(lambda: not processes_of(Leader(pid, began)))


ADOPTS = """
    import subprocess
    from spark_mode.engine.adopting import adopting
    with adopting():
        command.run()
        print("ended", flush=True)
        input()
    print(subprocess.Popen(["sleep", "60"], start_new_session=True, stdout=subprocess.DEVNULL).pid, flush=True)
    input()
"""
FORGETS = 'env -i setsid sh -c "sleep 60 & wait" >/dev/null & echo $!'


def test_what_has_given_up_mark_session_and_parent_counts_while_run_waits_and_what_run_then_starts_does_not() -> None:
    with spawned(textwrap.dedent(ADOPTS), "sh", "-c", FORGETS) as process:
        runner, pid = process.pid, int(says(process))
        began, runner_began = process_began(pid) or 0, process_began(process.pid) or 0
        known = Leader(pid, began, runner, runner_began)
        worker = int(says(process))
        assert says(process) == "ended"
        until(lambda: not group_runs(pid, began))
        assert not processes_of(Leader(pid, began)), "neither its mark nor its parents tell it"
        assert worker in processes_of(known)
        assert not processes_of(known._replace(runner_began=runner_began - 1)), "another one that had its number"
        os.killpg(worker, signal.SIGKILL)
        until(lambda: not processes_of(known))
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        own = int(says(process))
        assert group_runs(own, process_began(own) or 0)
        assert not processes_of(known)
        os.kill(own, signal.SIGKILL)


class Terminal:
    """A terminal with a program on it, and what it has shown since it was last asked for something."""

    def __init__(self, *words: str) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execv(words[0], words)  # noqa: S606 - this test's own program
        self._seen = b""

    def types(self, text: bytes) -> None:
        os.write(self._terminal, text)

    def shows(self, text: bytes) -> None:
        """Wait until it has shown something."""
        until(lambda: text in self._reads())
        self._seen = self._seen.partition(text)[2]

    def _reads(self) -> bytes:
        if select.select([self._terminal], [], [], 0.01)[0]:
            with suppress(OSError):  # its program has ended
                self._seen += os.read(self._terminal, 1000)
        return self._seen

    def ends(self) -> None:
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


def test_on_a_terminal_ctrl_c_goes_to_the_command_and_the_terminal_comes_back() -> None:
    script = "trap 'echo heard; exit 5' INT; echo runs; while :; do sleep 0.05; done"
    program = textwrap.dedent(RUNS) + "print('code', command.run(), os.tcgetpgrp(0) == os.getpgrp(), flush=True)"
    terminal = Terminal(sys.executable, "-c", program, "sh", "-c", script)
    terminal.shows(b"runs")
    terminal.types(b"\x03")
    terminal.shows(b"heard")
    terminal.shows(b"code 5 True")
    terminal.ends()


def test_in_a_shell_ctrl_z_stops_it_and_us_and_fg_continues_both(tmp_path: Path) -> None:
    program, script = tmp_path / "program.py", tmp_path / "script"
    program.write_text(textwrap.dedent(RUNS) + "print('code', command.run(), flush=True)")
    script.write_text("echo begun; read line; echo got $line; exit 4")
    shell = Terminal("/bin/bash", "--norc", "-i")
    shell.types(f"{sys.executable} {program} sh {script} | cat\n".encode())
    shell.shows(b"begun")
    shell.types(b"\x1a")
    shell.shows(b"Stopped")
    shell.types(b"echo shell-$((1+1))\n")
    shell.shows(b"shell-2")
    shell.types(b"fg\n")
    shell.shows(b"cat")
    shell.types(b"two\n")
    shell.shows(b"got two")
    shell.shows(b"code 4")
    shell.types(b"exit\n")
    shell.ends()


def test_a_group_whose_dead_leader_is_buried_between_two_looks_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
    began = process_began(child.pid) or 0

    class Buried(PosixPath):
        """Shows the processes as they are once the dead one is buried."""

        def iterdir(self) -> Generator[Self, None, None]:
            child.wait()
            yield from super().iterdir()

    child.kill()
    until(lambda: process_began(child.pid) is None)  # a zombie, which the kernel knows its group by
    assert not group_runs(child.pid, began, Buried("/proc"))
