"""What is said of a process of this machine."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spark_mode.engine.processes import large_processes, process
from spark_mode.readable import readable

SLEEP = shutil.which("sleep") or ""


@contextmanager
def called(folder: Path, name: str) -> Iterator[int]:
    """Have a process of this name; yield its number."""
    program = folder / name
    shutil.copy(shutil.which("cat") or "", program)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin and running.stdout
        print("it runs", file=running.stdin, flush=True)
        running.stdout.readline()
        yield running.pid
        running.stdin.close()


@pytest.mark.parametrize("name", ["short", "as-long-as-it-is", "a-name-of-more-than-fifteen-bytes", "a) b (c", "x\x1b[31my"])
def test_a_process_has_its_whole_name_and_its_user(name: str, tmp_path: Path) -> None:
    with called(tmp_path, name) as pid:
        found = process(pid)
    assert found
    assert (found.pid, found.name, found.size) == (pid, readable(name), 0)
    assert found.user == pwd.getpwuid(os.getuid()).pw_name


def test_a_name_that_says_nothing_of_what_was_called_stays_as_the_kernel_has_it() -> None:
    rename = "import sys; open('/proc/self/comm', 'w').write('renamed-process-of-mine'); print(flush=True); sys.stdin.read()"
    command = ["python3", "-c", rename]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        running.stdout.readline()
        found = process(running.pid)
        running.communicate("")
    assert found
    assert found.name == "renamed-process"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody who has no name")
def test_a_user_without_a_name_has_a_number() -> None:
    with subprocess.Popen([SLEEP, "600"], user=54321) as running:
        found = process(running.pid)
        running.kill()
    assert found
    assert found.user == "54321"


def test_one_that_has_gone_is_none() -> None:
    with subprocess.Popen([SLEEP, "0"]) as gone:
        gone.wait()
    assert process(gone.pid) is None
    assert gone.pid not in [one.pid for one in large_processes(0)]


def test_who_holds_much_is_found() -> None:
    assert os.getpid() in [one.pid for one in large_processes(1)]
