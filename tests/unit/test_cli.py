"""Which lab is meant, and what the command says without an engine."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from spark_mode.cli.anywhere import to_the_front
from spark_mode.cli.context import TYPED_IN, CliOptions
from spark_mode.cli.ending import summary
from spark_mode.cli.main import cli
from spark_mode.cli.progress import ask
from spark_mode.errors import ConfigurationError, Interrupted, UsageFault
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.verbs import VERBS
from spark_mode.planning.plan import StoppedTraining
from spark_mode.session.discovery import Flags, find_lab
from spark_mode.session.set_lab import lab_setting
from spark_mode.switching.report import Report

ROOT = Path(__file__).parents[2]


def lab_in(folder: Path, compose: str = "compose.yaml", env: str | None = None) -> Path:
    """Make a lab's files in a folder."""
    (folder / compose).parent.mkdir(parents=True, exist_ok=True)
    (folder / compose).write_text("services: {}\n")
    (folder / "rules.yaml").write_text("")
    if env is not None:
        (folder / ".env").write_text(env)
    return folder


def test_a_flag_beats_the_environment_and_the_environment_beats_the_directory(tmp_path: Path) -> None:
    lab_in(tmp_path)
    environment = {"COMPOSE_FILE": "other/a.yaml:b.yaml", "COMPOSE_PROJECT_NAME": "mine", "SPARK_MODE_RULES": "r.yaml"}
    by_flag = find_lab(Flags(files=("flag.yaml",), project_name="flagged", rules="f.yaml"), environment, tmp_path)
    assert by_flag[:2] == ((str(tmp_path / "flag.yaml"),), str(tmp_path / "f.yaml"))
    assert by_flag.project_name == "flagged"
    by_environment = find_lab(Flags(), environment, tmp_path)
    assert by_environment.compose == (str(tmp_path / "other/a.yaml"), str(tmp_path / "b.yaml"))
    assert (by_environment.project_name, by_environment.rules) == ("mine", str(tmp_path / "r.yaml"))
    assert find_lab(Flags(), {}, tmp_path).compose == (str(tmp_path / "compose.yaml"),)


def test_the_env_file_of_a_directory_names_its_compose_files(tmp_path: Path) -> None:
    lab_in(tmp_path, "lab/a.yaml", env="# a comment\nCOMPOSE_FILE='lab/a.yaml'\n")
    found = find_lab(Flags(), {}, tmp_path)
    assert found.compose == (str(tmp_path / "lab/a.yaml"),)
    assert found.rules == str(tmp_path / "rules.yaml")


def test_the_env_file_of_a_directory_names_its_project_as_it_does_for_compose(tmp_path: Path) -> None:
    lab_in(tmp_path, env="COMPOSE_PROJECT_NAME=mine\n")
    assert find_lab(Flags(), {}, tmp_path).project_name == "mine"
    assert find_lab(Flags(), {"COMPOSE_PROJECT_NAME": "other"}, tmp_path).project_name == "other"
    assert find_lab(Flags(project_name="flagged"), {}, tmp_path).project_name == "flagged"
    assert find_lab(Flags(files=("compose.yaml",)), {}, tmp_path).project_name is None


def test_an_override_is_added_where_no_file_is_named_as_compose_does(tmp_path: Path) -> None:
    lab_in(tmp_path)
    (tmp_path / "docker-compose.override.yml").write_text("")
    (tmp_path / "compose.override.yaml").write_text("")
    both = (str(tmp_path / "compose.yaml"), str(tmp_path / "compose.override.yaml"))
    assert find_lab(Flags(), {}, tmp_path).compose == both
    assert find_lab(Flags(files=("compose.yaml",)), {}, tmp_path).compose == both[:1]


def test_the_lab_that_was_set_is_used_from_anywhere_with_its_own_env_file(tmp_path: Path) -> None:
    lab = lab_in(tmp_path / "lab", env="COMPOSE_FILE=compose.yaml\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    with pytest.raises(ConfigurationError, match="no lab here"):
        find_lab(Flags(), environment, elsewhere)
    setting = lab_setting(environment)
    setting.parent.mkdir(parents=True)
    setting.write_text(f"{lab}\n")
    found = find_lab(Flags(), environment, elsewhere)
    assert found.compose == (str(lab / "compose.yaml"),)
    assert found.env_files == (str(lab / ".env"),)


def test_a_set_lab_that_was_moved_is_named_with_both_ways_on(tmp_path: Path) -> None:
    environment = set_lab(tmp_path / "set", tmp_path / "home")
    (tmp_path / "set").rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/set: No such file or directory") as refused:
        find_lab(Flags(), environment, tmp_path / "elsewhere")
    assert refused.value.hint == "set it anew: spark-mode lab DIR; or forget it: spark-mode lab --unset"


def test_a_compose_file_without_rules_is_no_lab(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("services: {}\n")
    with pytest.raises(ConfigurationError, match=r"no rules\.yaml beside") as refused:
        find_lab(Flags(files=("a.yaml",)), {}, tmp_path)
    assert refused.value.hint == "write one, or name it: --rules FILE, or export SPARK_MODE_RULES=FILE"


def set_lab(folder: Path, home: Path) -> dict[str, str]:
    """Make a lab in a folder the one that is used from anywhere; return the environment in which it is."""
    environment = {"XDG_CONFIG_HOME": str(home)}
    lab_setting(environment).parent.mkdir(parents=True)
    lab_setting(environment).write_text(f"{lab_in(folder)}\n")
    return environment


@pytest.mark.parametrize("name", ["compose.yaml", "docker-compose.yml"])
def test_a_folder_that_could_be_a_lab_and_is_none_is_refused_and_no_other_lab_is_taken(tmp_path: Path, name: str) -> None:
    environment = set_lab(tmp_path / "set", tmp_path / "home")
    here = tmp_path / "here"
    here.mkdir()
    (here / name).write_text("services: {}\n")
    with pytest.raises(ConfigurationError, match=f"{name} has no rules.yaml beside it") as refused:
        find_lab(Flags(), environment, here)
    assert refused.value.hint is not None
    assert f"with lines such as these in {here / 'rules.yaml'}:" in refused.value.hint
    assert refused.value.hint.endswith(f"or use another lab: spark-mode -C {tmp_path / 'set'} …")
    with pytest.raises(ConfigurationError) as without:
        find_lab(Flags(), {"XDG_CONFIG_HOME": str(tmp_path)}, here)
    assert str(without.value.hint).endswith("spark-mode -C DIR …")


def test_the_lines_that_a_folder_is_shown_make_it_a_lab(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(ConfigurationError) as refused:
        find_lab(Flags(), {"XDG_CONFIG_HOME": str(tmp_path)}, tmp_path)
    lines = str(refused.value.hint).splitlines()[1:-1]
    rules = read_rules("\n".join(line.strip() for line in lines), "rules.yaml", str)
    assert (list(rules.workloads), list(rules.modes)) == (["SERVICE", "OTHER"], ["chat", "tune"])


def test_rules_that_are_named_make_the_compose_file_here_the_lab_and_not_that_of_another(tmp_path: Path) -> None:
    environment = set_lab(tmp_path / "set", tmp_path / "home")
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    assert find_lab(Flags(rules="own.yaml"), environment, tmp_path)[:2] == (
        (str(tmp_path / "compose.yaml"),),
        str(tmp_path / "own.yaml"),
    )


def test_a_directory_that_is_named_and_is_no_lab_is_refused(tmp_path: Path) -> None:
    environment = set_lab(tmp_path / "set", tmp_path / "home")
    with pytest.raises(ConfigurationError, match="no lab in "):
        find_lab(Flags(directory=str(tmp_path)), environment, tmp_path)


def at(here: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """Run the command in a directory, on a machine where nothing else is set."""
    monkeypatch.chdir(here)
    for name in ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "SPARK_MODE_RULES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "home"))
    return CliRunner().invoke(cli, arguments, obj=CliOptions())


def test_a_lab_is_set_shown_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lab_in(tmp_path / "lab")
    assert at(tmp_path, monkeypatch, "lab", "lab").output.startswith(f"the lab in {folder} is used from anywhere\n")
    shown = json.loads(at(tmp_path, monkeypatch, "lab", "--format", "json").output)
    assert (shown["files"], shown["set"]) == ([str(folder / "compose.yaml")], str(folder))
    assert at(tmp_path, monkeypatch, "lab", "--unset").output == "no lab is used from anywhere any more\n"
    assert isinstance(at(tmp_path, monkeypatch, "lab").exception, ConfigurationError)
    assert at(tmp_path, monkeypatch, "lab", "--unset").output == "no lab was set\n"


def test_a_folder_that_is_no_lab_is_not_set_though_another_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab_in(tmp_path / "lab")
    at(tmp_path, monkeypatch, "lab", "lab")
    (tmp_path / "none").mkdir()
    refused = at(tmp_path, monkeypatch, "lab", "none").exception
    assert isinstance(refused, ConfigurationError)
    assert refused.message.startswith(f"no lab in {tmp_path / 'none'}")
    assert json.loads(at(tmp_path, monkeypatch, "lab", "--format=json").output)["set"] == str(tmp_path / "lab")


@pytest.mark.parametrize("after", range(4))
def test_an_option_of_the_whole_command_is_understood_before_and_after_the_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    lab_in(tmp_path / "lab", "own.yaml")
    options = [("-C", "lab"), ("-fown.yaml",), ("--project-name", "mine"), ("--format", "json")]
    words = [word for option in options[after:] for word in option]
    line = [*words, "lab", *(word for option in options[:after] for word in option)]
    shown = json.loads(at(tmp_path, monkeypatch, *line).output)
    assert shown == {
        "files": [str(tmp_path / "lab/own.yaml")],
        "rules": str(tmp_path / "lab/rules.yaml"),
        "project_name": "mine",
        "set": None,
    }


@pytest.mark.parametrize("line", [("status",), ("training",), ("plan", "training"), ("lab",), ("budget", "a")])
def test_every_verb_says_that_a_folder_is_no_lab_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    refused = at(tmp_path, monkeypatch, *line).exception
    assert isinstance(refused, ConfigurationError)
    assert "no other is taken for it" in refused.message


def test_what_stands_after_two_dashes_is_no_option() -> None:
    words = ["up", "a", "-f", "x", "--quiet", "--", "-f", "y"]
    front = ["-f", "x", "--quiet", "up", "a", "--", "-f", "y"]
    assert to_the_front(words, {"-f": True, "--quiet": False}) == front


def test_a_directory_that_is_not_there_is_a_mistake_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = at(tmp_path, monkeypatch, "status", "-C", "gone")
    assert (done.exit_code, "gone: No such file or directory" in done.output) == (2, True)


def test_where_a_command_was_typed_is_known_though_another_directory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab_in(tmp_path / "lab")
    monkeypatch.chdir(tmp_path)
    context = cli.make_context("spark-mode", ["-C", "lab", "run", "--as", "training", "--", "true"])
    assert context.meta[TYPED_IN] == str(tmp_path)
    assert Path.cwd() == tmp_path / "lab"


def test_a_mode_is_found_in_the_lab_that_is_named_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab_in(tmp_path / "lab")
    (tmp_path / "lab/rules.yaml").write_text("modes: {pictures: {profiles: [a, b]}}\n")
    assert "Switch to pictures" in at(tmp_path, monkeypatch, "pictures", "-h", "-C", "lab").output
    assert "pictures" in at(tmp_path, monkeypatch, "--help", "-C", "lab").output


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["--rules", str(ROOT / "rules.yaml"), *arguments], obj=CliOptions(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_help_names_every_verb() -> None:
    assert all(f"  {name} " in run("--help") for name in VERBS)


def test_a_budget_is_shown_as_on_paper_and_as_json() -> None:
    text = run("budget", "whisper", "llama3.1:8b", "f5", "devstral")
    assert text.splitlines()[0] == f"lab     {ROOT}"
    assert "= total        65.0 GB  of 128.0 GB" in text
    assert "+ overhead      6.0 GB  2 and 2 for each of: audio, llm" in text
    assert "do not run inference on both at once" in text
    data = json.loads(run("budget", "training:large", "--format", "json"))
    assert data["workloads"] == [
        {"name": "training:large", "class": "training", "planned_gb": 15.0, "low_gb": 15.0, "high_gb": 15.0}
    ]
    assert (data["total_gb"], data["decision"]) == (19.0, "yes")


def test_the_matrix_shows_the_sets_and_that_no_audio_runs_beside_training() -> None:
    data = json.loads(run("--format", "json", "matrix"))
    assert [one["name"] for one in data["sets"]] == list("ABCDEFGHI")
    together = {(one["one"], one["other"]): one["decision"] for one in data["modes"]}
    assert together[("audio omni", "training")] == "no"
    assert len(together) == 15


@pytest.mark.parametrize("arguments", [("budget", "trainin"), ("budget", "training:huge")])
def test_an_unknown_name_is_a_usage_fault(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageFault):
        run(*arguments)


class CtrlC(BytesIO):
    """A terminal on which somebody presses Ctrl-C in place of an answer."""

    def read1(self, size: int | None = -1) -> bytes:
        if size == 0:
            return b""
        raise KeyboardInterrupt

    read = readline = read1


def test_the_end_of_the_input_is_a_no_and_ctrl_c_at_the_question_is_an_interrupt() -> None:
    training = (StoppedTraining(name="training", service="training", since=""),)
    with CliRunner().isolation(input=""):
        assert not ask(training)
    with CliRunner().isolation(input=CtrlC()), pytest.raises(Interrupted):
        ask(training)


def test_an_option_after_two_dashes_is_no_command() -> None:
    done = CliRunner().invoke(cli, ["--", "--rules", "status"])
    assert (done.exit_code, "no such command" in done.output) == (2, True)


@pytest.mark.parametrize(
    ("request_", "mode", "said"),
    [
        ("up ollama", "idle", "ollama runs (2.0 s)"),
        ("stop whisper", "custom", "whisper is stopped (2.0 s)"),
        ("stop", "idle", "everything of the lab is stopped (2.0 s)"),
        ("stop", "custom", "everything of the lab is stopped (2.0 s)"),
        ("audio omni", "audio omni", "audio omni runs (2.0 s)"),
        ("chat", "page", "chat runs (2.0 s)"),
        ("pictures", "custom", "pictures runs (2.0 s)"),
        ("restore", "page", "page runs again (2.0 s)"),
        ("restore", "custom", "what ran before runs again (2.0 s)"),
    ],
)
def test_what_is_said_to_be_done_is_what_was_asked_for_or_the_mode_that_is_on(request_: str, mode: str, said: str) -> None:
    assert summary(Report(request=request_, outcome="applied", mode=mode, seconds=2.0)) == said
