"""`spark-mode init` on real files: what is written where, what never is, and how it ends. Compose reads them; no engine runs."""

import json
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from spark_mode.atomic_file import replace_file
from spark_mode.cli.context import CliOptions
from spark_mode.cli.first_questions import answered, chosen
from spark_mode.cli.main import cli
from spark_mode.errors import ConfigurationError, Interrupted, SparkModeError, UsageFault
from spark_mode.init.answers import Answers, with_answers
from spark_mode.init.beside import beside
from spark_mode.init.propose import propose
from spark_mode.init.survey import survey
from spark_mode.init.written import written
from spark_mode.lab.rules import Exclusive
from spark_mode.session.discovery import Flags, find_lab
from spark_mode.session.first_look import weights_on_disk
from spark_mode.session.set_lab import lab_setting
from tests.known_plugin import configuration
from tests.unit.first import case, gpu, project, read_back, spark
from tests.unit.test_cli import CtrlC

ROOT = Path(__file__).parents[2]
LAB = """\
name: painters-and-talkers
services:
  paint: {image: comfyui, gpus: all, profiles: [paint]}
  talk:
    image: vllm/vllm-openai
    gpus: all
    profiles: [talk]
    command: [vllm, serve, a/b, --gpu-memory-utilization, "0.3"]
    environment: {X: canary}
  page: {image: page, depends_on: [talk], profiles: [talk], ports: ["127.0.0.1::80"]}
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with Compose files and no rules, which is the present one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", configuration())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "compose.yaml").write_text(LAB)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    """Return how a command ends, as the process would, and what it says."""
    options = CliOptions()
    try:
        done: Result = CliRunner().invoke(cli, ["init", *arguments], obj=options, catch_exceptions=False)
    except SparkModeError as error:
        return error.exit_code, f"{error.message}\n{error.hint}"
    return done.exit_code or options.exit_code, done.output


def test_a_first_file_is_written_shown_and_read_back_and_again_it_is_the_same(lab: Path) -> None:
    """What check says of it names no file; and programs, and a terminal alone, get what people do."""
    code, said = run()
    text = (lab / "rules.yaml").read_text()
    assert code == 0
    assert read_back(text).modes.keys() == {"paint", "talk"}
    assert stat.S_IMODE((lab / "rules.yaml").stat().st_mode) == 0o644
    assert f"{lab}/rules.yaml is written" in said
    assert re.search(r"^paint +image +unknown +not known: the whole machine", said, re.MULTILINE)
    assert re.search(r"^page +support +1\.0 GB +without a GPU", said, re.MULTILINE)
    assert "talk + paint" in said
    assert said.rstrip().endswith("next: spark-mode plan talk")
    assert "check: compose: no health check, so that they count as ready" in said
    assert "canary" not in said + text
    code, said = run("--yes")
    assert (code, (lab / "rules.yaml").read_text()) == (0, text)
    assert "the same" in said
    (lab / "rules.yaml").unlink()
    before = sorted(lab.iterdir())
    code, said = run("--print")
    assert (code, sorted(lab.iterdir()), said) == (0, before, text)
    code, said = run("--format", "json")
    told = json.loads(said)
    assert (code, told["written"], told["modes"]) == (0, True, ["talk", "paint"])
    assert [one["known"] for one in told["workloads"]] == [False, True]
    assert (lab / "rules.yaml").read_text() == text


def test_a_file_that_is_there_stays_byte_for_byte_and_what_it_lacks_is_told(lab: Path) -> None:
    mine = "# mine\nworkloads:\n  paint: {class: image, footprint: 20GB}\nmodes:\n  paint: {class: image}\n"
    (lab / "rules.yaml").write_text(mine)
    code, said = run()
    assert (code, (lab / "rules.yaml").read_text()) == (4, mine)
    assert "  talk: {class: llm, footprint" in said
    assert "  paint: {" not in said
    (lab / "rules.yaml").write_text("not: [yaml")
    code, said = run()
    assert (code, (lab / "rules.yaml").read_text()) == (4, "not: [yaml")
    assert "  paint: {" in said


def test_a_project_without_a_gpu_is_refused_and_nothing_is_written(lab: Path) -> None:
    (lab / "compose.yaml").write_text("services: {page: {image: nginx}}\n")
    before = sorted(lab.iterdir())
    code, said = run()
    assert (code, sorted(lab.iterdir())) == (3, before)
    assert f"nothing in {lab}/compose.yaml has a GPU" in said
    for name in ("main", "comfy"):
        (lab / name).mkdir()
        (lab / name / "compose.yaml").write_text(f"name: {name}\nservices: {{{name}: {{image: nginx}}}}\n")
    assert f"nothing in {lab}/main/compose.yaml, {lab}/comfy/compose.yaml has a GPU" in run("main", "comfy")[1]


def test_files_of_one_project_with_names_of_their_own_are_told_how_to_be_several(lab: Path) -> None:
    for name in ("main", "comfy"):
        (lab / name).mkdir()
        own = LAB.replace("painters-and-talkers", name).replace("talk", f"talk-{name}").replace("paint:", f"paint-{name}:")
        (lab / name / "compose.yaml").write_text(own.replace("  page:", f"  page-{name}:"))
    _, said = run("main/compose.yaml", "comfy/compose.yaml")
    assert "main/compose.yaml, comfy/compose.yaml: taken for files of one project" in said
    assert "to have them as projects of one lab: spark-mode init main comfy" in said
    assert "taken for files of one project" not in run("main", "comfy")[1]


@pytest.mark.parametrize("text", ["services: [", "services: {a: {image: [x]}}", "services: {a: {image: x, depends_on: [b]}}"])
def test_what_compose_cannot_read_is_bad_configuration(lab: Path, text: str) -> None:
    (lab / "compose.yaml").write_text(text)
    assert run()[0] == 3
    assert not (lab / "rules.yaml").exists()


def test_a_directory_and_files_may_be_named_and_the_file_goes_where_it_is_told(lab: Path) -> None:
    inner = lab / "inner"
    inner.mkdir()
    (inner / "docker-compose.yml").write_text(LAB)
    (inner / "other.yaml").write_text(LAB)
    code, said = run("inner")
    assert (code, (inner / "rules.yaml").is_file()) == (0, True)
    assert f"next: spark-mode -C {inner} plan talk" in said
    code, said = run("inner/other.yaml", "--out", "mine.yaml")
    assert (code, (lab / "mine.yaml").is_file()) == (0, True)
    assert f"-f {inner}/other.yaml --rules {lab}/mine.yaml plan talk" in said


def test_several_directories_are_one_lab_whose_file_lies_in_the_first(lab: Path) -> None:
    for name in ("main", "comfy"):
        (lab / name).mkdir()
        (lab / name / "compose.yaml").write_text(LAB.replace("painters-and-talkers", name).replace("talk", f"talk-{name}"))
    code, said = run("main", "comfy")
    text = (lab / "main" / "rules.yaml").read_text()
    assert code == 0, said
    assert 'projects: [".", "../comfy"]' in text
    assert set(read_back(text).workloads) == {"main/paint", "comfy/paint", "talk-main", "talk-comfy"}
    assert f"next: spark-mode -C {lab}/main plan" in said
    assert re.search("no health check.*comfy/paint", said), "it was read as the lab that it is"
    assert [one.folder for one in find_lab(Flags(), {}, lab / "main").each] == [f"{lab}/main", f"{lab}/comfy"]


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("paths", [("missing",), (".", "compose.yaml")])
def test_what_is_no_project_is_a_usage_fault(paths: tuple[str, ...]) -> None:
    assert run(*paths)[0] == UsageFault.exit_code == 2


def test_no_compose_file_is_bad_configuration(lab: Path) -> None:
    (lab / "compose.yaml").unlink()
    code, said = run()
    assert code == 3
    assert "no Compose file" in said


def test_profiles_that_compose_resolves_only_apart_are_read_apart(lab: Path) -> None:
    (lab / "compose.yaml").write_text(
        "services:\n"
        "  a: {image: comfyui, gpus: all, profiles: [a], container_name: same}\n"
        "  b: {image: whisper, gpus: all, profiles: [b], container_name: same}\n"
        "  c: {image: whisper, gpus: all, profiles: [c], env_file: [missing.env]}\n"
    )
    code, said = run()
    assert code == 0
    assert read_back((lab / "rules.yaml").read_text()).modes.keys() == {"a", "b"}
    assert "the profile c cannot be read, and is left out" in said
    assert "a and b have the container name same" in said


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    there = tmp_path / "rules.yaml"
    there.write_text("mine")
    with pytest.raises(FileExistsError):
        replace_file(there, b"ours", 0o644, over=False)
    assert [one.name for one in tmp_path.iterdir()] == ["rules.yaml"]
    assert there.read_text() == "mine"


def test_the_weights_of_a_model_are_its_file_all_of_its_shards_or_the_present_snapshot(tmp_path: Path) -> None:
    def put(path: str, size: int) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)

    for path, size in {"a.gguf": 3, "b-00001-of-00002.gguf": 5, "b-00002-of-00002.gguf": 7, "c/one.safetensors": 11}.items():
        put(path, size)
    put("hub/models--x/snapshots/new/m.safetensors", 13)
    put("hub/models--x/snapshots/old/m.safetensors", 17)
    (tmp_path / "hub/models--x/refs").mkdir()
    (tmp_path / "hub/models--x/refs/main").write_text("new\n")
    found = [weights_on_disk(str(tmp_path / one)) for one in ("a.gguf", "b-00001-of-00002.gguf", "c", "hub/models--x", "none")]
    assert found == [3, 12, 11, 13, None]


def ask(said: str) -> str:
    """Return the file that comes of a project with a painter, a talker and a large server, and of these answers."""
    lab = project(
        paint=gpu(image="comfyui", profiles=["paint"]),
        talk=gpu(image="whisper", profiles=["talk"]),
        large=gpu(image="vllm", profiles=["large"], command=["vllm", "serve", "a/b", "--gpu-memory-utilization", "0.8"]),
    )
    machine = spark()
    seen = survey(lab, machine)
    with CliRunner().isolation(input=said):
        answers = answered(seen, machine)
    return written(propose(with_answers(seen, answers), answers))


def test_without_an_answer_the_defaults_hold() -> None:
    assert ask("") == ask("\n\n\n\n")
    assert "limits:" not in ask("")


def test_what_is_answered_is_written() -> None:
    rules = read_back(ask("paint=20GB talk=4GB\npaint+talk\npaint\ny\n"))
    assert [rules.workloads[name].footprint.planned for name in ("paint", "talk")] == [20 * 10**9, 4 * 10**9]
    assert rules.rules[-1].because == "you said so when this file was written"
    assert [name for name, one in rules.workloads.items() if rules.runs_to_end(one)] == ["paint"]
    assert {frozenset(one.exclusive) for one in rules.rules if isinstance(one, Exclusive)} == {
        frozenset({"training", "audio"}),
        frozenset({"training", "llm"}),
        frozenset({"paint", "talk"}),
    }
    assert rules.limits.tight == 109 * 10**9


def test_a_wrong_answer_is_asked_again() -> None:
    right = ask("talk=4GB\npaint+talk\nnone\nn\n")
    assert ask("x=1GB\ntalk=4\ntalk=4GB\npaint\npaint+x\npaint+talk\nx\nnone\nn\n") == right


def test_ctrl_c_at_a_question_is_an_interrupt() -> None:
    seen = survey(case("two_painters"), spark())
    with CliRunner().isolation(input=CtrlC()), pytest.raises(Interrupted, match="nothing is written"):
        answered(seen, spark())


def test_an_unreadable_place_is_bad_configuration(lab: Path) -> None:
    (lab / "rules.yaml").mkdir()
    code, said = run()
    assert (code, ConfigurationError.exit_code) == (3, 3)
    assert "is a directory" in said


def test_the_example_is_unpacked_whole_and_is_a_lab(lab: Path) -> None:
    code, said = run("--example")
    assert code == 0
    assert f"cd {lab}/audio-lab" in said
    found = find_lab(Flags(), {}, lab / "audio-lab")
    assert (Path(found.rules).read_bytes(), Path(found.compose[0]).is_file()) == ((ROOT / "rules.yaml").read_bytes(), True)
    unpacked = {
        str(path.relative_to(lab / "audio-lab/compose")) for path in (lab / "audio-lab/compose").rglob("*") if path.is_file()
    }
    kept = {str(path.relative_to(ROOT / "compose")) for path in (ROOT / "compose").rglob("*") if path.is_file()}
    assert unpacked == {path for path in kept if "__pycache__" not in path}
    assert not [one for one in lab.iterdir() if one.name.startswith(".audio-lab")]


def test_the_example_never_goes_over_what_is_there(lab: Path) -> None:
    (lab / "mine").mkdir()
    (lab / "mine/file").write_text("mine")
    code, said = run("--example", "mine")
    assert (code, [one.name for one in (lab / "mine").iterdir()]) == (4, ["file"])
    assert "stays as it is" in said
    (lab / "empty").mkdir()
    assert run("--example", "empty")[0] == 0
    assert run("--example", "a", "b")[0] == 2


def answers_as(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Have a `docker` that answers every question with this."""
    program = folder / "bin/docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_where_no_project_lies_those_that_the_engine_knows_are_named(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab / "inner").mkdir()
    (lab / "compose.yaml").rename(lab / "inner/mine.yaml")
    known = [{"Name": "mine", "ConfigFiles": f"{lab}/inner/mine.yaml"}, {"Name": "gone", "ConfigFiles": "/nowhere/x.yaml"}]
    answers_as(lab, monkeypatch, json.dumps(known))
    code, said = run()
    assert code == 3
    assert f"the engine knows {lab}/inner\n" in f"{said}\n"
    assert "nowhere" not in said


@pytest.mark.parametrize("said", ["not JSON", "[1]", '{"a": 1}', "[]"])
def test_an_engine_that_says_something_else_is_no_help_and_no_harm(lab: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    (lab / "compose.yaml").unlink()
    answers_as(lab, monkeypatch, said)
    assert run()[0] == 3


def test_a_project_is_chosen_by_its_name_and_asked_for_again() -> None:
    with CliRunner().isolation(input="x\nother\n"):
        assert chosen(["one", "other"]) == "other"
    with CliRunner().isolation(input=""):
        assert chosen(["one", "other"]) == "one"


def test_sizes_that_were_answered_decide_what_fits_together() -> None:
    lab = project(a=gpu(image="x", profiles=["both"]), b=gpu(image="y", profiles=["both"]))
    seen = survey(lab, spark())
    assert read_back(written(propose(seen))).modes.keys() == {"a", "b"}
    known = Answers(sizes={"a": 20 * 10**9, "b": 20 * 10**9})
    assert read_back(written(propose(with_answers(seen, known), known))).modes.keys() == {"both"}


def test_rules_that_the_files_have_already_are_theirs_also_in_the_directory_above(lab: Path) -> None:
    (lab / "inner").mkdir()
    (lab / "compose.yaml").rename(lab / "inner/compose.yaml")
    (lab / "rules.yaml").write_text("# mine\n")
    code, said = run("inner/compose.yaml")
    assert (code, (lab / "inner/rules.yaml").exists(), (lab / "rules.yaml").read_text()) == (4, False, "# mine\n")
    assert f"{lab}/rules.yaml is there" in said


def test_rules_that_describe_a_host_are_not_told_that_its_models_are_unknown() -> None:
    proposal = propose(survey(project(ollama=gpu(image="ollama/ollama")), spark()))
    there = {"workloads": {"mine": {"host": "ollama", "model": "x:1b"}}, "hosts": {"ollama": {"service": "ollama"}}}
    assert [one.name for one in beside(proposal, {}).workloads] == ["models-of-ollama"]
    assert not beside(proposal, there).workloads


@pytest.mark.parametrize(
    "there",
    [
        None,
        [],
        "x",
        {"workloads": []},
        {"workloads": {"a": 1}, "rules": [1, {"of": 7}]},
        {"modes": None, "rules": 5},
        {"workloads": {"a": {"host": []}}},
    ],
)
def test_whatever_a_file_has_what_it_lacks_can_be_told(there: object) -> None:
    proposal = propose(survey(case("two_painters"), spark()))
    assert [one.name for one in beside(proposal, there).workloads] == ["auto", "comfy"]


def test_a_variable_that_nobody_has_set_is_missed_by_those_alone_that_need_it(lab: Path) -> None:
    (lab / "compose.yaml").write_text(
        "services:\n"
        "  a: {image: comfyui, gpus: all, profiles: [a]}\n"
        "  b: {image: whisper, gpus: all, profiles: [b], environment: {TOKEN: '${NOT_SET_BY_ANYBODY:?}'}}\n"
    )
    code, said = run()
    assert code == 0
    assert read_back((lab / "rules.yaml").read_text()).modes.keys() == {"a"}
    assert "the profile b cannot be read, and is left out" in said


def test_rules_in_the_folder_of_one_of_several_projects_are_told_as_a_lab_of_their_own(lab: Path) -> None:
    (lab / "other").mkdir()
    (lab / "other" / "compose.yaml").write_text("name: other\nservices: {web: {image: web}}\n")
    (lab / "other" / "rules.yaml").write_text("workloads: {}\n")
    assert f"note: {lab}/other/rules.yaml makes what is there a lab of its own" in run(".", "other")[1]


def test_who_writes_rules_over_a_project_of_the_set_lab_is_led_back_to_that(lab: Path) -> None:
    (lab / "main").mkdir()
    (lab / "main" / "rules.yaml").write_text("projects: [..]\nworkloads: {}\n")
    setting = lab_setting({"XDG_CONFIG_HOME": str(lab / "config")})
    setting.parent.mkdir(parents=True)
    setting.write_text(f"{lab}/main\n")
    said = run()[1]
    assert "use it as it is, without this file" in said
    assert said.rstrip().endswith(f"next: rm {lab}/rules.yaml, then spark-mode -C {lab}/main status")


def test_where_nothing_is_seen_to_use_the_gpu_the_lines_to_write_by_hand_are_shown(lab: Path) -> None:
    (lab / "compose.yaml").write_text("name: lab\nservices: {web: {image: web}}\n")
    code, said = run()
    assert code == 3
    assert "workloads: {SERVICE: {class: llm, footprint: 20GB}}" in said
