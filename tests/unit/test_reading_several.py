"""Several Compose projects are read side by side: one that cannot be read is unusable, and its name is not forgotten."""

from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError
from spark_mode.planning.request import UpRequest
from spark_mode.reporting.check import check
from spark_mode.session.discovery import Flags, find_lab
from spark_mode.session.session import Session

COMPOSE = """#!/bin/sh
for word; do [ "$before" = --file ] && file=$word; before=$word; done
case "$*" in
*--hash*) echo "$(cat $file) 1" ;;
*version*) echo 2.40.3 ;;
*"--project-name LLM X "*) echo 'invalid project name "LLM X": must consist of other characters' >&2; exit 1 ;;
*) [ -e $file ] || { echo "open $file: no such file or directory" >&2; exit 1; }
   grep -q broken $file && { echo "$file is broken" >&2; exit 1; }
   echo "{\\"name\\": \\"the-$(basename $(dirname $file))\\", \\"services\\": {\\"$(cat $file)\\": {\\"image\\": \\"it\\"}}}" ;;
esac
"""
RULES = "projects: [., ../comfy]\nworkloads: {comfyui: {class: images, footprint: 1GB}}\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a lab of two projects, each a file that is the name of its service, and a `docker` that reads them so."""
    for folder, service in (("bin", ""), ("main", "page"), ("comfy", "comfyui")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "compose.yaml").write_text(service)
    (tmp_path / "bin" / "docker").write_text(COMPOSE)
    (tmp_path / "bin" / "docker").chmod(0o755)
    (tmp_path / "main" / "rules.yaml").write_text(RULES)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.chdir(tmp_path / "main")
    return tmp_path


def opened(lab: Path, need_project: bool = True) -> Session:
    return Session.open(find_lab(Flags(), {}, lab / "main"), need_project=need_project)


def test_both_are_read_and_the_first_gives_the_name(lab: Path) -> None:
    session = opened(lab)
    assert (session.project.name, session.project.names) == ("the-main", ("the-main", "the-comfy"))
    assert list(session.project.services) == ["page", "comfyui"]
    assert f"{lab}/comfy/compose.yaml" in session.inputs


def findings(lab: Path) -> dict[str, str]:
    """Return how `check` mends what is wrong with the rules of a lab."""
    return {one.where: f"{one.fix}" for one in check(opened(lab), "2.40.3") if one.level in ("error", "warning") and one.fix}


def test_check_tells_what_a_workload_names_that_is_nowhere_and_what_it_may_be_instead(lab: Path) -> None:
    (lab / "main" / "rules.yaml").write_text(RULES.replace("{comfyui", "{tune: {class: t, footprint: 1GB}, comfyui"))
    or_ = "; or, where it is a plain command: command: true"
    elsewhere = "; where another project has it, name that one under projects"
    assert findings(lab)["rules: workloads/tune"] == f"correct one of the two{or_}{elsewhere}"
    (lab / "main" / "rules.yaml").write_text(RULES.replace("comfyui:", "comfyiu:"))
    assert findings(lab)["rules: workloads/comfyiu"] == f"correct one of the two{or_}", "that is no other one"
    (lab / "comfy" / "compose.yaml").write_text("page")
    (lab / "main" / "rules.yaml").write_text(RULES.replace("comfyui:", "page:"))
    assert findings(lab)["rules: workloads/page"] == "name one of them in rules.yaml: the-main/page, the-comfy/page"


def test_check_tells_of_rules_in_the_folder_of_a_project_which_make_that_a_lab_of_its_own(lab: Path) -> None:
    def told() -> list[str]:
        return [one.message for one in check(opened(lab), "2.40.3") if "a lab of its own" in one.message]

    assert told() == []
    (lab / "comfy" / "rules.yaml").write_text("workloads: {}\n")
    assert told() == [f"{lab}/comfy/rules.yaml makes what is there a lab of its own, too, and so it is planned twice"]


def test_check_does_not_have_rules_corrected_for_a_project_that_cannot_be_read(lab: Path) -> None:
    (lab / "comfy" / "compose.yaml").write_text("broken")
    (lab / "main" / "rules.yaml").write_text(
        f"{RULES}modes: {{m: {{services: [comfyui]}}, n: {{class: images, profiles: [p]}}}}\n"
    )
    found = findings(lab)
    assert [one for one in found if one.startswith("rules: ")] == ["rules: modes/m"]
    assert found["rules: modes/m"].startswith("correct that, or, where it is of no project there, name its own")


def test_without_an_engine_a_plan_says_what_fits(lab: Path) -> None:
    planned = opened(lab).plan(UpRequest(names=("comfyui",)))
    assert (planned.refusal, planned.as_json()["observed"]) == (None, False)


@pytest.mark.parametrize("broken", ["main", "comfy"])
def test_one_that_cannot_be_read_keeps_its_name_and_the_other_works(broken: str, lab: Path) -> None:
    opened(lab)
    (lab / broken / "compose.yaml").write_text("broken")
    session = opened(lab)
    assert session.project.names == ("the-main", "the-comfy")
    where = f"{lab}/{broken}/compose.yaml"
    assert session.project.unread == f"Compose cannot read the project the-{broken}: {where} is broken", "the path is said once"
    assert list(session.project.services) == (["comfyui"] if broken == "main" else ["page"])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("../comfi", 'no such file or directory (did you mean "../comfy"?)'),
        ("{files: [../comfi/compose.yaml]}", 'no such file or directory (did you mean "../comfy"?)'),
        ("../vllm", "no such file or directory"),
        ("../../there/is/none", "no such file or directory"),
    ],
)
def test_a_folder_that_is_not_there_is_told_with_the_one_beside_it_that_may_be_meant(entry: str, said: str, lab: Path) -> None:
    (lab / "comfort").mkdir()  # has no Compose file
    (lab / "main" / "rules.yaml").write_text(RULES.replace("../comfy", entry))
    assert f"{opened(lab).project.unread}".endswith(f"/compose.yaml: {said}")


def test_a_folder_that_the_lab_has_already_is_not_meant_by_one_that_is_not_there(lab: Path) -> None:
    (lab / "main" / "rules.yaml").write_text(RULES.replace("../comfy", "../comfy, ../comfi"))
    assert f"{opened(lab).project.unread}".endswith("/compose.yaml: no such file or directory")


def test_a_name_that_compose_does_not_take_is_told_as_what_rules_yaml_says(lab: Path) -> None:
    entry = '{files: [../comfy/compose.yaml], name: "LLM X"}'
    (lab / "main" / "rules.yaml").write_text(RULES.replace("../comfy", entry))
    said = 'rules.yaml: projects/1/name: invalid project name "LLM X": must consist of other characters'
    assert opened(lab).project.unread == f"Compose cannot read the project LLM X: {said}"
    (lab / "comfy" / ".env").write_text('COMPOSE_PROJECT_NAME="LLM X"\n')
    (lab / "main" / "rules.yaml").write_text(RULES)
    said = f'{lab}/comfy/.env: invalid project name "LLM X": must consist of other characters'
    assert opened(lab).project.unread == f"Compose cannot read the project LLM X: {said}"


def test_where_none_can_be_read_only_what_needs_no_files_goes_on(lab: Path) -> None:
    for name in ("main", "comfy"):
        (lab / name / "compose.yaml").write_text("broken")
    with pytest.raises(ConfigurationError, match="is broken"):
        opened(lab)
    session = opened(lab, need_project=False)
    assert session.project.names == ("main", "comfy"), "as Compose would name them"
    assert session.project_fault


def test_a_stop_knows_the_projects_of_rules_that_are_wrong_further_on(lab: Path) -> None:
    (lab / "main" / "rules.yaml").write_text(f"{RULES}wrong: [\n")
    session = Session.open(find_lab(Flags(), {}, lab / "main"), need_project=False, lenient=True)
    assert session.project.names == ("the-main", "the-comfy")
    with pytest.raises(ConfigurationError, match=r"rules.yaml, line 4"):
        opened(lab)


A_UNIT = "hosts: {comfyui: {unit: comfyui.service, address: 'http://127.0.0.1:1'}}\n"
TAKEN = r'rules.yaml: hosts/comfyui: it has a unit, and "comfyui" is a service of the Compose files'
TWICE = "rules.yaml: projects: two of them have the name the-main"


@pytest.mark.parametrize(("rules", "fault"), [(RULES + A_UNIT, TAKEN), (RULES.replace("../comfy", "../other/main"), TWICE)])
def test_a_mistake_of_the_rules_that_only_the_projects_show_keeps_nothing_from_stopping(
    rules: str, fault: str, lab: Path
) -> None:
    (lab / "other" / "main").mkdir(parents=True)
    (lab / "other" / "main" / "compose.yaml").write_text("comfyui")
    (lab / "main" / "rules.yaml").write_text(rules)
    with pytest.raises(ConfigurationError, match=fault):
        opened(lab)
    session = Session.open(find_lab(Flags(), {}, lab / "main"), need_project=False, lenient=True)
    assert [*session.forgiveness.faults] == [fault]
    assert session.project.names[0] == "the-main"
    assert [*session.project.services] == ["page", "comfyui"]


def test_what_the_rules_say_of_the_projects_holds_once_they_say_it(lab: Path) -> None:
    session = opened(lab)
    (lab / "main" / "rules.yaml").write_text(RULES.replace("projects: [., ../comfy]", ""))
    assert session.read_again()
    assert list(session.project.services) == ["page"]
    (lab / "main" / "rules.yaml").write_text(RULES)
    assert session.read_again()
    assert list(session.project.services) == ["page", "comfyui"]


@pytest.mark.parametrize("folder", ["n" * 300, "/proc/1/cwd", "../comfy/compose.yaml/further"])
def test_one_whose_folder_cannot_be_entered_is_unusable_and_the_other_works(folder: str, lab: Path) -> None:
    (lab / "main" / "rules.yaml").write_text(RULES.replace("../comfy", folder))
    session = opened(lab)
    assert list(session.project.services) == ["page"]
    assert "cannot read the project" in str(session.project.unread)


def test_one_that_would_have_no_name_is_unusable_and_the_names_of_the_other_stay(lab: Path) -> None:
    (lab / "comfy" / ".env").write_text("COMPOSE_FILE=/compose.yaml\n")
    session = opened(lab)
    assert session.project.known_as("page") == "page"
    assert "cannot read the project" in str(session.project.unread)
