"""What a lab's files of variables say is read as Compose reads it: which files, which project, which values."""

import json
import os
import subprocess
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from spark_mode.enforcement import gate_file
from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.engine.env_files import compose_settings, plain_values
from spark_mode.engine.local import local_socket
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import Project
from spark_mode.session.discovery import Flags, find_lab
from tests.deep import DEEP

LINES = (
    "COMPOSE_FILE=a.yaml:b.yaml",
    "COMPOSE_FILE=a.yaml\nCOMPOSE_FILE=b.yaml",
    "COMPOSE_FILE=a.yaml\nexport COMPOSE_FILE=b.yaml",
    "export\tCOMPOSE_FILE=a.yaml",
    "  COMPOSE_FILE=a.yaml  ",
    "COMPOSE_FILE = a.yaml",
    "COMPOSE_FILE= a.yaml",
    "COMPOSE_FILE: a.yaml",
    "COMPOSE_FILE=a.yaml # note",
    "COMPOSE_FILE=a.yaml#note",
    "COMPOSE_FILE=a.yaml\t# note",
    "COMPOSE_FILE= # note",
    "COMPOSE_FILE=#note",
    "# COMPOSE_FILE=b.yaml\nCOMPOSE_FILE=a.yaml",
    "#COMPOSE_FILE=b.yaml",
    "COMPOSE_FILE='a.yaml' # note",
    'COMPOSE_FILE="a.yaml" # note',
    "COMPOSE_FILE='a b.yaml'",
    "COMPOSE_FILE=a b.yaml",
    'COMPOSE_FILE="a\\"b"',
    "COMPOSE_FILE='a\\'b'",
    "COMPOSE_FILE='a\\\\b'",
    'COMPOSE_FILE="a\\\\b"',
    'COMPOSE_FILE="a\\$b"',
    "COMPOSE_FILE=a\\b",
    "COMPOSE_FILE=$WHERE/a.yaml",
    "COMPOSE_FILE=${WHERE}/a.yaml",
    "COMPOSE_FILE='${WHERE}/a.yaml'",
    'COMPOSE_FILE="${WHERE}/a.yaml"',
    "COMPOSE_FILE=${NOWHERE:-a}.yaml",
    "COMPOSE_FILE=${NOWHERE-a}.yaml",
    "COMPOSE_FILE=${WHERE:+a}.yaml",
    "COMPOSE_FILE=${NOWHERE:-${WHERE}}",
    "COMPOSE_FILE=a$$b",
    "STAGE=dev\nCOMPOSE_FILE=${STAGE}.yaml",
    "COMPOSE_FILE=a.yaml\r\nOTHER=1\r\n",
    "COMPOSE_FILE=a.yaml\rOTHER=1",
    "\ufeffCOMPOSE_FILE=a.yaml",
    "\u00a0COMPOSE_FILE=a.yaml\u00a0",
    "COMPOSE_FILE=a.yaml\u2003",
    "COMPOSE_FILE=\u00e4.yaml",
    "COMPOSE_FILE=a.yaml\f",
    "COMPOSE_FILE",
    "export COMPOSE_FILE",
    "COMPOSE_FILE=",
    'COMPOSE_FILE=""',
    "OTHER='\nCOMPOSE_FILE=b.yaml\n'\nCOMPOSE_FILE=a.yaml",
    "OTHER=\nCOMPOSE_FILE=a.yaml",
    "OTHER\n\nCOMPOSE_FILE=a.yaml",
    "OTHER='x' COMPOSE_FILE=b.yaml\nCOMPOSE_FILE=a.yaml",
    'COMPOSE_FILE=a\'b"c"',
    'COMPOSE_FILE="a"b',
    "COMPOSE_FILE=a=b",
    "compose_file=a.yaml\nexportCOMPOSE_FILE=b.yaml",
    "COMPOSE_FILE=a.yaml;b.yaml\nCOMPOSE_PATH_SEPARATOR=;",
    "COMPOSE_FILE=a.yaml\nCOMPOSE_PROJECT_NAME=mine",
    "COMPOSE_PROJECT_NAME='mine'\nexport COMPOSE_PROJECT_NAME=other # note",
    "COMPOSE_PROJECT_NAME=${WHERE}-lab",
)
MISTAKES = (
    'COMPOSE_FILE="a.yaml',
    "what is this\nCOMPOSE_FILE=a.yaml",
    "'COMPOSE_FILE'=a.yaml",
    "COMPOSE_FILE=${WHERE",
    "COMPOSE_FILE\u2003=a.yaml",
    "COMPOSE_FILE=${NOWHERE:?say it}",
)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two variables that files may refer to: one that is set and one that is not."""
    for name in [name for name in os.environ if name.startswith("COMPOSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("WHERE", "there")


def compose(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Use plain Compose in a folder."""
    command = ["docker", "compose", *arguments]
    return subprocess.run(
        command, check=False, cwd=folder, env=os.environ | environment, capture_output=True, input=b"{services: {}}"
    )


@pytest.mark.parametrize("text", LINES if DEEP else LINES[::6])
def test_a_line_is_read_as_compose_reads_it(tmp_path: Path, text: str) -> None:
    (tmp_path / ".env").write_text(text, newline="")
    said = compose(tmp_path, "--file", "-", "config", "--environment")
    assert said.returncode == 0, said.stderr
    lines = reversed(said.stdout.decode().split("\n"))  # in order of name: what is inside another value comes after it
    theirs = dict(line.split("=", 1) for line in lines if line.startswith("COMPOSE_"))
    unnamed = tmp_path.name if "COMPOSE_PROJECT_NAME" not in text else ""  # Compose takes the folder's name then
    ours = compose_settings([tmp_path / ".env"])
    assert ours == {name: value for name, value in theirs.items() if value and value != compose_name(unnamed)}


@pytest.mark.parametrize("text", LINES if DEEP else LINES[28::18])  # each asks Compose several times
def test_the_gate_is_named_where_compose_reads_it_and_gone_again_or_nothing_has_changed(tmp_path: Path, text: str) -> None:
    env, files = tmp_path / ".env", LabFiles(compose=(str(tmp_path / "c.yaml"),), rules="/rules.yaml")
    env.write_text(text, newline="")
    before = compose_settings([env])
    try:
        gate_file.install(Project(name="lab"), tmp_path, files)
    except ConfigurationError:
        assert env.read_bytes() == text.encode()
        assert not (tmp_path / gate_file.NAME).exists()
        return
    assert compose_settings([env])["COMPOSE_FILE"].endswith(gate_file.NAME)
    assert gate_file.uninstall(tmp_path)
    assert compose_settings([env]) == before


def compose_name(folder: str) -> str:
    """Return the name that Compose makes of a folder's."""
    return "".join(one for one in folder.lower() if one.isalnum() or one in "-_").lstrip("-_")


@pytest.mark.parametrize("text", MISTAKES if DEEP else MISTAKES[::2])
def test_what_compose_cannot_read_is_refused_with_its_reason(tmp_path: Path, text: str) -> None:
    (tmp_path / ".env").write_text(text)
    assert compose(tmp_path, "--file", "-", "config").returncode != 0
    with pytest.raises(ConfigurationError, match=r"\.env: "):
        compose_settings([tmp_path / ".env"])


def test_the_plain_lines_that_people_write_cost_no_question() -> None:
    text = "# the lab\nexport COMPOSE_FILE='a.yaml:b.yaml' # both\r\n\nHF_TOKEN=hf_1#2\nNAME=\"x y\"\nEMPTY=\n"
    assert plain_values(text) == {"COMPOSE_FILE": "a.yaml:b.yaml", "HF_TOKEN": "hf_1#2", "NAME": "x y", "EMPTY": ""}


FILE = "services: {a: {image: 'x:${TAG:-none}-${INNER:-none}-${NAMED:-none}'}}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Return a lab whose Compose file lies in a folder of its own, with variables in both, and more beside them."""
    (tmp_path / "inner").mkdir()
    for name in ("inner/c.yaml", "compose.yaml"):
        (tmp_path / name).write_text(FILE)
    (tmp_path / "rules.yaml").write_text("")
    (tmp_path / ".env").write_text("COMPOSE_FILE=inner/c.yaml\nCOMPOSE_PROJECT_NAME=outer\nTAG=outer\n")
    (tmp_path / "inner/.env").write_text("TAG=inner\nINNER=inner\n")
    (tmp_path / "one.env").write_text("NAMED=one\nTAG=one\nCOMPOSE_PROJECT_NAME=one\n")
    (tmp_path / "two.env").write_text("NAMED=two\nCOMPOSE_FILE=inner/c.yaml\n")
    return tmp_path


ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"COMPOSE_FILE": "inner/c.yaml"},
    {"COMPOSE_FILE": "compose.yaml"},
    {"COMPOSE_ENV_FILES": "one.env"},
    {"COMPOSE_ENV_FILES": "one.env,two.env"},
    {"COMPOSE_ENV_FILES": ",two.env,", "COMPOSE_PROJECT_NAME": "three"},
)
FLAGS = (
    Flags(),
    Flags(files=("inner/c.yaml",)),
    Flags(env_files=("two.env",)),
    Flags(files=("compose.yaml",), env_files=("one.env", "two.env")),
    Flags(project_name="flagged"),
)


@pytest.mark.parametrize("environment, flags", [*product(ENVIRONMENTS, FLAGS)][:: 1 if DEEP else 7])
def test_the_same_command_line_and_environment_mean_the_same_values_as_to_plain_compose(
    lab: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], flags: Flags
) -> None:
    monkeypatch.chdir(lab)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    typed = [part for file in flags.files for part in ("--file", file)]
    typed += [part for file in flags.env_files for part in ("--env-file", file)]
    typed += ["--project-name", flags.project_name] if flags.project_name else []
    plain = json.loads(compose(lab, *typed, "config", "--format", "json").stdout)
    project = ComposeFiles(find_lab(flags, environment, lab), local_socket()).read()
    assert (project.name, project.services["a"].image) == (plain["name"], plain["services"]["a"]["image"])


def test_a_lab_that_is_used_from_elsewhere_means_what_it_means_in_its_folder(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = lab / "config/spark-mode/lab"
    setting.parent.mkdir(parents=True)
    setting.write_text(str(lab))
    elsewhere = lab / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".env").write_text("TAG=elsewhere\n")
    monkeypatch.chdir(elsewhere)
    found = find_lab(Flags(), {"XDG_CONFIG_HOME": str(lab / "config")}, elsewhere)
    project = ComposeFiles(found, local_socket()).read()
    assert (project.name, project.services["a"].image) == ("outer", "x:outer-inner-none")
