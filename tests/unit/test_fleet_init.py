"""A first fleet.yaml: what `fleet init` writes can be read, whatever machines are called."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from spark_mode.cli.main import cli
from spark_mode.errors import UsageFault
from spark_mode.fleet.nodes import read_fleet

Init = Callable[..., Result]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Call `fleet init` with a home of its own, in which ~/.ssh/config may say something."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "SPARK_MODE_FLEET"):
        monkeypatch.delenv(name, raising=False)

    def call(*names: str, ssh: str = "") -> Result:
        (tmp_path / ".ssh").mkdir(exist_ok=True)
        (tmp_path / ".ssh/config").write_text(ssh)
        return CliRunner().invoke(cli, ["fleet", "init", *names])

    return call


def written(home: Path) -> dict[str, str]:
    return {name: node.address for name, node in read_fleet(home / ".config/spark-mode/fleet.yaml").nodes.items()}


@pytest.mark.parametrize(
    ("names", "nodes"),
    [
        (["spark1", "ann@spark2", "spark1"], {"spark1": "spark1", "spark2": "ann@spark2"}),
        (
            ["10.0.0.1", "fe80::1%eth0", "ann@10.0.0.2"],
            {"10.0.0.1": "10.0.0.1", "fe80::1%eth0": "fe80::1%eth0", "10.0.0.2": "ann@10.0.0.2"},
        ),
        (["yes", "ann@no", "null", "1", "1.5", "0x10", "12:30", "2026-01-01"], None),
    ],
)
def test_what_is_named_is_read_again_as_it_was_written(
    init: Init, tmp_path: Path, names: list[str], nodes: dict[str, str] | None
) -> None:
    assert init(*names).exit_code == 0
    assert written(tmp_path) == (nodes or {one.rpartition("@")[2]: one for one in names})


@pytest.mark.parametrize("name", ["", "all", "ann@all", "ann@", "@spark", "-oProxyCommand=x", "a b", "a" * 101, "a,b"])
def test_what_is_no_name_of_a_machine_is_refused_and_nothing_is_written(init: Init, tmp_path: Path, name: str) -> None:
    result = init("--", "spark1", name)
    assert isinstance(result.exception, UsageFault)
    assert "is no name of a machine" in result.exception.message
    assert not (tmp_path / ".config").exists()


def test_two_that_would_have_one_name_are_refused_and_nothing_is_written(init: Init, tmp_path: Path) -> None:
    result = init("ann@spark1", "bob@spark1")
    assert isinstance(result.exception, UsageFault)
    assert result.exception.message == "ann@spark1 and bob@spark1 would both be called spark1"
    assert not (tmp_path / ".config").exists()


def test_of_what_ssh_knows_patterns_and_what_is_no_machines_name_are_left_out_and_what_is_no_spark_is_yours_to_take_out(
    init: Init, tmp_path: Path
) -> None:
    result = init(ssh="Host spark1 *.lan !desk all\n  HostName 10.0.0.1\nhost=github.com yes # and more\nMatch host x\n")
    assert "take out of it what is no such machine" in result.output
    assert written(tmp_path) == {one: one for one in ("spark1", "github.com", "yes")}
