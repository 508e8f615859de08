"""The door to another machine, with a program in the place of ssh: what it is given, and what becomes of its answers."""

import shlex
import threading
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.requesting import Asked
from spark_mode.fleet.ssh import ABSENT, LARGEST, LAST_ERRORS, Ssh

NODE = Node(name="spark1", ssh="ann@spark1")


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the program is that stands in for ssh."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "ssh"


def acts(ssh: Path, text: str) -> None:
    ssh.write_text(f"#!/bin/sh\n{text}\n")
    ssh.chmod(0o755)


def unawaited(*seconds: float) -> None:
    """Nothing is waited for."""


def untold(*event: object) -> None:
    """Nobody looks."""


def asked() -> Asked:
    return Asked(Ssh(), "0" * 16, "training", ("training", "--", "x"), lambda: 0.0, unawaited, untold)


def test_ssh_is_given_the_users_address_and_one_line_in_which_every_word_stays_one(ssh: Path) -> None:
    acts(ssh, 'printf "%s\\n" "$@"')
    given = Ssh().ask(NODE, ["up", "a b", "$(reboot)", "'"]).out.splitlines()
    assert given[:2] == ["-o", "BatchMode=yes"]
    assert given[given.index("--") + 1] == "ann@spark1"
    assert shlex.split(given[-1]) == ["spark-mode", "up", "a b", "$(reboot)", "'"]


def test_what_is_to_be_set_there_is_set_for_the_program_wherever_it_is(ssh: Path, tmp_path: Path) -> None:
    acts(ssh, 'for line; do :; done; exec sh -c "$line"')
    (tmp_path / "program").write_text('#!/bin/sh\necho "$A $B $*"\n')
    (tmp_path / "program").chmod(0o755)
    node = NODE._replace(command=f"{tmp_path}/program")
    assert Ssh({"A": "1", "B": "a b"}).ask(node, ["x"]).out == "1 a b x\n"
    assert Ssh().ask(node, ["x"]).out == "  x\n"
    assert Ssh({"A": "1"}).ask(NODE._replace(command="nowhere"), ["x"]).code == ABSENT


def test_no_password_is_ever_asked_for_and_nothing_is_read(ssh: Path) -> None:
    acts(ssh, "cat; echo end")
    assert Ssh().ask(NODE, ["status"]).out == "end\n"


def test_a_lost_connection_has_no_exit_code(ssh: Path) -> None:
    acts(ssh, "echo 'Connection closed by remote host' >&2; exit 255")
    answer = Ssh().ask(NODE, ["status"])
    assert (answer.code, answer.errors) == (None, "Connection closed by remote host")


def test_a_machine_that_does_not_answer_in_time_is_lost(ssh: Path) -> None:
    acts(ssh, "exec sleep 60")
    answer = Ssh().ask(NODE, ["status"], seconds=0.2)
    assert (answer.code, answer.errors) == (None, "no answer within 0.2 s")


def test_much_of_both_outputs_holds_nothing_up_and_is_bounded(ssh: Path) -> None:
    acts(ssh, "yes 0123456789012345678901234567890123456789 | head -c 30000000 | tee /dev/stderr; echo the last >&2")
    answer = Ssh().ask(NODE, ["status"])
    assert answer.code == 0
    assert len(answer.out) <= LARGEST
    assert 1000 < len(answer.errors) <= LAST_ERRORS
    assert answer.errors.endswith("the last")


def test_a_connection_that_is_kept_for_later_is_not_waited_for(ssh: Path, tmp_path: Path) -> None:
    acts(ssh, f"(while [ ! -e {tmp_path}/left ]; do sleep 0.05; done; echo late) >&2 & echo soon >&2")
    before = len([*Path("/proc/self/fd").iterdir()])
    assert Ssh().ask(NODE, ["status"], seconds=20).errors == "soon"
    assert len([*Path("/proc/self/fd").iterdir()]) == before
    (tmp_path / "left").touch()


def test_each_line_is_told_as_it_comes(ssh: Path, tmp_path: Path) -> None:
    acts(ssh, f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; echo two")
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        (tmp_path / "go").touch()

    assert Ssh().ask(NODE, ["status"], told=tell).out == "one\ntwo\n"
    assert told == ["one\n", "two\n"]


def test_whoever_leaves_cuts_the_connections(ssh: Path) -> None:
    acts(ssh, "echo begun; exec sleep 60")
    door, begun = Ssh(), threading.Event()
    answers: list[int | None] = []

    def tell(line: str) -> None:
        if line == "begun\n":
            begun.set()

    asking = threading.Thread(target=lambda: answers.append(door.ask(NODE, ["x"], told=tell).code))
    asking.start()
    assert begun.wait(10)
    door.leave()
    asking.join(10)
    assert answers == [None]


def test_without_ssh_it_is_said_what_to_install(ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(ssh.parent))
    with pytest.raises(ConfigurationError, match="there is no ssh here"):
        Ssh().ask(NODE, ["status"])


def test_what_a_login_prints_beside_the_answer_is_passed_over(ssh: Path) -> None:
    acts(ssh, """echo 'Welcome {to} Ubuntu'; echo '{"x": 1}'; echo '{"agent": 1, "state": "told"}'; echo 'Bye'""")
    assert asked().begin(NODE, 30, None).state == "admitted"


def test_options_go_before_what_follows_two_dashes(ssh: Path) -> None:
    acts(ssh, """echo "$@" >&2; echo '{"agent": 1, "state": "told"}'""")
    words = Ssh().ask(NODE, ["x"]).errors
    assert words.endswith("spark-mode x")
    seen: list[str] = []
    acts(ssh, f"""echo "$@" > {ssh.parent}/given; echo '{{"agent": 1, "state": "told"}}'""")
    asked().begin(NODE, 30, "d")
    seen += (ssh.parent / "given").read_text().split()
    assert seen[seen.index("--expect=d") :] == ["--expect=d", "--", "x"]


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("exit 127", "no spark-mode on the PATH of ssh's commands", "fleet.yaml: spark1: {command: PATH}"),
        ("""echo 'spark-mode: no such command "agent"' >&2; exit 2""", "too old", "the same version"),
        (
            """printf 'spark-mode: speaks protocol 1\\n  → have the same version\\n' >&2; exit 2""",
            "protocol 1",
            "have the same version",
        ),
        ("echo nonsense; exit 0", "no answer", ""),
    ],
)
def test_a_machine_that_cannot_be_asked_refuses_and_says_why(ssh: Path, text: str, said: str, hint: str) -> None:
    acts(ssh, text)
    end = asked().begin(NODE, 30, None)
    assert (end.state, end.code != 0, said in end.message) == ("ended", True, True)
    assert hint in (end.hint or "")


def test_a_program_that_is_named_by_its_path_is_on_no_path(ssh: Path) -> None:
    acts(ssh, "exit 127")
    end = asked().begin(NODE._replace(command="~/bin/spark-mode"), 30, None)
    assert end.message == "there is no ~/bin/spark-mode there"


def test_what_was_killed_there_is_unknown_and_its_last_words_are_told(ssh: Path) -> None:
    acts(ssh, """echo '{"agent": 1, "state": "gone", "words": "Killed"}'""")
    end = asked().go(NODE)
    assert (end.state, end.message) == ("lost", "Killed")


def test_a_line_that_does_not_end_is_bounded(ssh: Path) -> None:
    acts(ssh, "head -c 40000000 /dev/zero | tr '\\0' x; echo '{\"agent\": 1}'")
    answer = Ssh().ask(NODE, ["status"])
    assert (answer.code, len(answer.out) <= LARGEST) == (0, True)


@pytest.mark.parametrize("number", ["TERM", "KILL", "HUP"])
def test_an_ssh_that_is_killed_is_a_lost_connection(ssh: Path, number: str) -> None:
    acts(ssh, f"kill -{number} $$")
    assert Ssh().ask(NODE, ["status"]).code is None


def test_nobody_is_asked_after_leaving(ssh: Path, tmp_path: Path) -> None:
    acts(ssh, f"touch {tmp_path}/asked")
    door = Ssh()
    door.leave()
    assert door.ask(NODE, ["status"]).code is None
    assert not (tmp_path / "asked").exists()


def test_words_that_are_too_long_for_a_command_are_an_error_of_ours(ssh: Path) -> None:
    acts(ssh, "true")
    with pytest.raises(ConfigurationError, match="ssh: Argument list too long"):
        Ssh().ask(NODE, ["x" * 200_000])
