"""What is put where others look for it, and found again: files and gates of this installation, never those of another one."""

import os
from pathlib import Path

import pytest

from spark_mode.cli.for_sudo import for_sudo
from spark_mode.cli.installation import MARK, OwnFile, how_to_remove, own_files
from spark_mode.cli.main import cli
from spark_mode.enforcement.gate_file import NAME, PROGRAM
from spark_mode.enforcement.known_gates import known_gates, remember_gate
from spark_mode.enforcement.own_file import put, remove
from spark_mode.own_command import own_command


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, OwnFile]:
    """The files of a user whose home is empty, by what looks for them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    return {one.needs: one for one in own_files(False, cli)}


def test_each_file_lies_where_its_program_looks_for_it(mine: dict[str, OwnFile], tmp_path: Path) -> None:
    assert {needs: str(one.path.relative_to(tmp_path)) for needs, one in mine.items()} == {
        "docker": ".docker/cli-plugins/docker-spark",
        "bash": ".local/share/bash-completion/completions/spark-mode",
        "zsh": ".local/share/zsh/site-functions/_spark-mode",
        "fish": ".config/fish/completions/spark-mode.fish",
    }
    assert mine["zsh"].text.startswith("#compdef spark-mode\n"), "or zsh takes it for no completion"


def test_those_for_all_users_lie_where_no_package_puts_its_own(tmp_path: Path) -> None:
    there = [one.path.relative_to(tmp_path) for one in own_files(True, cli, tmp_path)]
    assert len(there) >= 4
    assert all(path.is_relative_to("usr/local") for path in there)


def test_what_is_as_it_should_be_is_not_put_there_again_and_is_found_to_be_taken_away(mine: dict[str, OwnFile]) -> None:
    one = mine["bash"]
    assert (one.is_wanted, one.is_there) == (True, False)
    put(one.path, one.text, one.mode, "")
    assert (one.is_wanted, one.is_there) == (False, True)
    assert remove(one.path, one.mark, "")
    assert (one.is_wanted, one.is_there) == (True, False)


def test_what_calls_another_installation_stays(mine: dict[str, OwnFile]) -> None:
    one = mine["bash"]
    put(one.path, f"complete -C /opt/another/bin/python3 spark-mode\n{MARK}\n", one.mode, "")
    assert not one.is_there
    put(one.path, "somebody's own", one.mode, "")
    assert not one.is_there


def gate(folder: Path, python: str) -> Path:
    """Put a gate into a folder that calls an installation by its Python."""
    folder.mkdir()
    (folder / NAME).touch()
    (folder / PROGRAM).write_text(f'exec {" ".join([python, *own_command("spark_mode.enforcement.gate")[1:]])} "$@"\n')
    return folder


def test_a_gate_is_known_as_long_as_it_is_there_and_calls_this_installation(tmp_path: Path) -> None:
    own, other = gate(tmp_path / "a lab", own_command()[0]), gate(tmp_path / "b", "/opt/another/bin/python3")
    assert known_gates(tmp_path) == []
    for folder in (own, other, own, tmp_path / "gone"):
        remember_gate(tmp_path, folder)
    assert (tmp_path / "gates").read_text().count("a lab") == 1
    assert known_gates(tmp_path) == [own]
    (own / NAME).unlink()
    assert known_gates(tmp_path) == []


def test_a_list_of_gates_that_cannot_be_read_or_written_is_in_nobodys_way(tmp_path: Path) -> None:
    own = gate(tmp_path / "lab", own_command()[0])
    (tmp_path / "gates").mkdir()
    remember_gate(tmp_path, own)
    assert known_gates(tmp_path) == []
    os.rmdir(tmp_path / "gates")  # noqa: PTH106 - a file takes its place
    (tmp_path / "gates").write_text(f'not JSON\n[1]\n"{own}"\n')
    assert known_gates(tmp_path) == [own]


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/usr/lib/spark-mode", "sudo apt remove spark-mode"),
        ("/home/ann/.local/share/pipx/venvs/spark-mode", "pipx uninstall spark-mode"),
        ("/opt/pipx/venvs/spark-mode", "pipx uninstall --global spark-mode"),
        ("/home/ann/.local/share/uv/tools/spark-mode", "uv tool uninstall spark-mode"),
        ("/home/ann/my tools", "'/home/ann/my tools/bin/python' -m pip uninstall spark-mode"),
    ],
)
def test_the_program_itself_is_removed_by_what_has_installed_it(prefix: str, command: str) -> None:
    assert how_to_remove(Path(prefix)) == command


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/home/ann/.local/bin/spark-mode", "first, once: sudo /home/ann/.local/bin/spark-mode setup --shared"),
        ("/home/ann o/bin/spark-mode", "first, once: sudo '/home/ann o/bin/spark-mode' setup --shared"),
        ("/elsewhere/spark_mode/cli/__main__.py", "first, once: sudo spark-mode setup --shared"),
    ],
)
def test_advice_to_use_sudo_is_what_sudo_finds(program: str, said: str, tmp_path: Path) -> None:
    assert for_sudo("first, once: sudo spark-mode setup --shared", program, str(tmp_path)) == said
    (tmp_path / "spark-mode").touch(0o755)
    assert "sudo spark-mode setup" in for_sudo("first, once: sudo spark-mode setup --shared", program, str(tmp_path))
