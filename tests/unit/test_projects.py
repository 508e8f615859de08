"""A lab of several Compose projects: found by its rules, planned over as one, and each service asked of its own project."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from spark_mode.enforcement.gate import Question, ask
from spark_mode.enforcement.trust import require_trusted
from spark_mode.enforcement.unit import unit_text
from spark_mode.engine.compose_of_several import ComposeOfSeveral
from spark_mode.engine.doors import ChosenVariant
from spark_mode.errors import ConfigurationError, SparkModeError, UsageFault
from spark_mode.init.propose import propose
from spark_mode.init.several import merged
from spark_mode.init.survey import survey
from spark_mode.init.written import written
from spark_mode.lab.joined import joined
from spark_mode.lab.places import Place, places_in
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.service import Service
from spark_mode.planning.budget import Budget, budget
from spark_mode.planning.conflict_policy import conflict_victims
from spark_mode.planning.container import Container
from spark_mode.planning.mode import violations
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan
from spark_mode.planning.request import ModeRequest, RestoreRequest, RunRequest, StopRequest, UpRequest
from spark_mode.planning.together import named_workloads, why_unknown
from spark_mode.session.discovery import Flags, find_lab
from spark_mode.session.foreign_workloads import named_in_lab
from spark_mode.session.set_lab import lab_setting, second_lab
from tests.unit.first import read_back, spark

GB = 10**9
RULES = """
projects: [., ../comfy]
workloads:
  training: {class: training, footprint: 1GB}
  comfyui: {class: images, footprint: 1GB}
  main/ui: {class: chat, footprint: 1GB}
rules: [{exclusive: [training, images]}]
modes: {training: {services: [training]}, pictures: {services: [comfyui]}, both: {class: images, profiles: [shared]}}
"""


def project(name: str, services: Mapping[str, Mapping[str, Any]]) -> Project:
    given = {service: {"image": "image", **one} for service, one in services.items()}
    return read_project({"name": name, "services": given}, {})


MAIN = project("main", {"training": {}, "ui": {}, "helper": {"profiles": ["shared"]}})
COMFY = project(
    "comfy",
    {
        "comfyui": {"depends_on": {"ui": {"condition": "service_started", "required": True}}, "profiles": ["shared", "pictures"]},
        "ui": {"network_mode": "service:cache"},
        "cache": {},
    },
)
LAB = joined((MAIN, COMFY))


def rules(text: str = RULES, of: Project = LAB) -> Rules:
    return with_project(read_rules(text, "rules.yaml", lambda _: ""), of)


def planned(request: ModeRequest | UpRequest | StopRequest | RestoreRequest, *containers: Container, of: Project = LAB) -> Plan:
    return plan(request, of, rules(of=of), seen(*containers), 128 * GB)


def seen(*containers: Container) -> Observed:
    memory = Memory(total=128 * GB, available=120 * GB)
    return Observed(containers=containers, images={"image": "id"}, memory=memory)


def running(name: str, service: str, of: Project = LAB) -> Container:
    one = Container(id=f"{name}-{service}", name=f"{name}-{service}-1", state="running", service=service)
    return named_in_lab(one, name, of)


def test_a_service_is_named_as_it_is_and_with_its_project_where_two_have_one_name() -> None:
    assert list(LAB.services) == ["training", "main/ui", "helper", "comfyui", "comfy/ui", "cache"]
    assert [LAB.known_as(word) for word in ("comfy/comfyui", "comfy/ui", "ui", "other/ui")] == [
        "comfyui",
        "comfy/ui",
        "ui",
        "other/ui",
    ]
    assert LAB.services["comfyui"].needs == ("comfy/ui",)
    assert LAB.services["comfy/ui"].joins == ("cache",)
    assert running("comfy", "ui").service == "comfy/ui"
    assert (LAB.name, LAB.names) == ("main", ("main", "comfy"))
    assert joined((MAIN,)) is MAIN


def test_a_plan_is_over_all_projects_and_names_each() -> None:
    found = planned(ModeRequest(mode="training"), running("comfy", "comfyui"), running("comfy", "ui"))
    assert [(step.action, step.subject) for step in found.steps if step.action in ("stop", "start")] == [
        ("stop", "comfyui"),
        ("start", "training"),
        ("start", "main/ui"),
    ]
    assert "comfyui (comfy)" in str(found)
    assert "training (main)" in str(found)
    assert "main/ui" in str(found)
    assert "main/ui (" not in str(found), "the name tells it"
    assert "(" not in str(plan(ModeRequest(mode="training"), MAIN, rules(of=MAIN), seen(), 128 * GB))


def test_what_has_no_profile_comes_with_what_is_asked_for_of_its_own_project_alone() -> None:
    assert set(planned(ModeRequest(mode="training")).target) == {"training", "main/ui"}
    assert set(planned(ModeRequest(mode="pictures")).target) == {"comfyui", "comfy/ui", "cache"}


def test_a_profile_that_two_projects_have_is_both_and_one_of_them_is_asked_for_with_its_project() -> None:
    assert set(LAB.of_profile("shared")) == {"helper", "comfyui"}
    assert LAB.of_profile("comfy/shared") == ("comfyui",)
    assert LAB.profile_known_as("comfy/pictures") == "pictures"
    assert LAB.profile_known_as("main/pictures") == "main/pictures", "it has none"
    only = rules(RULES.replace("profiles: [shared]", "profiles: [comfy/shared, comfy/pictures]"))
    assert only.modes["both"].profiles == ("comfy/shared", "pictures")


def test_the_profile_of_one_project_is_asked_for_by_up_stop_and_budget_too() -> None:
    assert set(planned(UpRequest(names=("main/shared",))).target) == {"helper", "main/ui"}
    both = [running("main", "helper"), running("comfy", "comfyui")]
    assert [step.subject for step in planned(StopRequest(names=("main/shared",)), *both).steps] == ["helper"]
    assert [one.name for one in named_workloads(["comfy/shared"], rules(), LAB)] == ["cache", "comfy/ui", "comfyui"]


def test_what_is_written_with_its_project_is_understood_by_budget_with_and_run_too() -> None:
    assert [one.name for one in named_workloads(["comfy/comfyui", "comfy/cache"], rules(), LAB)] == ["comfyui", "cache"]
    assert "comfyui" in planned(UpRequest(names=("helper",), extra=("comfy/comfyui",))).target
    assert plan(RunRequest(name="main/training", title="x"), LAB, rules(), seen(), 128 * GB).target == ()


@pytest.mark.parametrize("request_", [UpRequest(names=("comfy",)), StopRequest(names=("comfy",))], ids=str)
def test_the_name_of_a_project_is_answered_with_what_there_is_of_it(request_: UpRequest | StopRequest) -> None:
    with pytest.raises(UsageFault, match='"comfy" is a Compose project, and not asked for as one') as refused:
        planned(request_)
    assert refused.value.hint == "name what is meant of it: comfyui, comfy/ui, cache"
    with pytest.raises(UsageFault, match='"comfy" is a Compose project'):
        named_workloads(["comfy"], rules(), LAB)


@pytest.mark.parametrize("request_", [UpRequest(names=("ui",)), StopRequest(names=("ui",))], ids=str)
def test_a_name_that_two_projects_have_is_refused_with_how_to_write_it(request_: UpRequest | StopRequest) -> None:
    with pytest.raises(UsageFault) as refused:
        planned(request_)
    assert refused.value.hint == "name one of them: main/ui, comfy/ui"
    with pytest.raises(UsageFault) as refused:
        named_workloads(["ui"], read_rules(RULES, "rules.yaml", lambda _: ""), LAB)
    assert refused.value.hint == "name one of them: main/ui, comfy/ui"


@pytest.mark.parametrize("request_", [UpRequest(names=("ui",)), ModeRequest(mode="site")], ids=str)
def test_a_name_that_two_projects_have_is_told_so_where_rules_yaml_has_it(request_: UpRequest | ModeRequest) -> None:
    planned_with = rules(RULES.replace("main/ui", "ui").replace("modes: {", "modes: {site: {services: [ui]}, "))
    with pytest.raises(ConfigurationError, match="and several projects have one of that name") as refused:
        plan(request_, LAB, planned_with, seen(), 128 * GB)
    assert refused.value.hint == "name one of them in rules.yaml: main/ui, comfy/ui"


BARE = """
workloads:
  training: {class: training, footprint: 1GB}
  ui: {class: images, footprint: 2GB}
  llama: {class: chat, footprint: 1GB, model: llama, host: cache}
hosts: {cache: {service: cache}}
rules: [{exclusive: [training, images]}, {exclusive: [training, chat]}]
modes: {training: {services: [training]}, site: {class: images, profiles: [shared]}}
"""
ALIKE = joined((MAIN, project("comfy", {"ui": {"profiles": ["shared"]}, "cache": {}}), project("llm", {"cache": {}})))


@pytest.mark.parametrize(
    "request_",
    [ModeRequest(mode="training"), ModeRequest(mode="site"), UpRequest(names=("helper",)), RestoreRequest(names=("training",))],
    ids=str,
)
def test_a_workloads_name_that_two_projects_have_refuses_every_switch_and_no_stop(request_: ModeRequest | UpRequest) -> None:
    known, there = rules(BARE, ALIKE), seen(running("comfy", "ui", ALIKE), running("main", "training", ALIKE))
    with pytest.raises(ConfigurationError, match=r'^ui: rules.yaml says .* "ui", and several projects have one') as refused:
        plan(request_, ALIKE, known, there, 128 * GB)
    assert refused.value.hint == "name one of them in rules.yaml: main/ui, comfy/ui"
    stop = plan(StopRequest(), ALIKE, known, there, 128 * GB)
    assert {step.subject for step in stop.steps} == {"comfy/ui", "training"}
    with pytest.raises(UsageFault, match='several projects have a service "ui"'):
        plan(StopRequest(names=("ui",)), ALIKE, known, there, 128 * GB)
    one = plan(StopRequest(names=("comfy/ui",)), ALIKE, known, there, 128 * GB)
    assert [step.subject for step in one.steps] == ["comfy/ui"]


def test_a_hosts_name_that_two_projects_have_refuses_every_switch() -> None:
    known = rules(BARE.replace("  ui:", "  main/ui:"), ALIKE)
    with pytest.raises(ConfigurationError, match=r'^cache: rules.yaml says it runs in the service "cache"') as refused:
        plan(ModeRequest(mode="training"), ALIKE, known, seen(), 128 * GB)
    assert refused.value.hint == "name one of them in rules.yaml: comfy/cache, llm/cache"


@pytest.mark.parametrize(("of", "service"), [("main", "ui"), ("comfy", "ui"), ("comfy", "cache"), ("llm", "cache")])
def test_meanwhile_each_service_of_that_name_counts_as_what_is_named(of: str, service: str) -> None:
    known, there = rules(BARE, ALIKE), seen(running(of, service, ALIKE), running("main", "training", ALIKE))
    assert len(violations(there, known)) == 1
    (victim,) = conflict_victims(there, ALIKE, known, kept=("training",))
    assert victim.service == f"{of}/{service}"
    assert [one.name for one in there.workloads(known)] == ["training", "ui"][: 1 + (service == "ui")]
    assert not violations(seen(running("main", "ui", ALIKE), running("comfy", "ui", ALIKE)), known)


def test_what_rules_yaml_names_with_its_project_is_that_one_alone() -> None:
    known = rules(BARE.replace("  ui:", "  page: {class: chat, footprint: 1GB, service: comfy/ui}\n  ui:"), ALIKE)
    names = [known.of_service(name) for name in ("comfy/ui", "main/ui", "helper")]
    assert [one and one.name for one in names] == ["page", "ui", None]


def test_what_is_written_with_its_project_is_understood_where_that_is_not_needed() -> None:
    assert planned(UpRequest(names=("comfy/comfyui",))).target == ("cache", "comfy/ui", "comfyui")
    assert planned(UpRequest(names=("comfy/comfyui",))).request == "up comfy/comfyui"
    stop = planned(StopRequest(names=("comfy/comfyui",)), running("comfy", "comfyui"))
    assert [step.subject for step in stop.steps] == ["comfyui"]
    assert planned(RestoreRequest(names=("comfy/cache",))).target == ("cache",)
    written = rules(RULES.replace("comfyui: {class", "pictures: {service: comfy/comfyui, class"))
    assert written.workloads["pictures"].service == "comfyui"


BROKEN = joined((MAIN, Project(name="comfy", unusable={"": "comfy/compose.yaml: is broken"})))


def test_a_project_that_cannot_be_read_is_unusable_with_its_reason_and_the_others_work() -> None:
    with pytest.raises(ConfigurationError, match=r"Compose cannot read the project comfy: comfy/compose.yaml: is broken"):
        planned(ModeRequest(mode="pictures"), of=BROKEN)
    found = planned(ModeRequest(mode="training"), running("comfy", "comfyui", BROKEN), of=BROKEN)
    (stop,) = [step for step in found.steps if step.action == "stop"]
    assert (stop.service, stop.containers, stop.by_compose) == ("comfyui", ("comfy-comfyui",), False)
    assert "comfyui (comfy)" in str(found), "it is shown with its project, as all others are"
    assert "training" in found.target


def test_where_two_cannot_be_read_only_what_may_matter_is_said() -> None:
    faults = {"comfy": "comfy/compose.yaml: is broken", "llm": "llm/compose.yaml: is not there"}
    two = joined((MAIN, *(Project(name=name, unusable={"": fault}) for name, fault in faults.items())))
    with pytest.raises(ConfigurationError, match=r"Compose cannot read the projects comfy, llm \(why: spark-mode check\)$"):
        planned(ModeRequest(mode="pictures"), of=two)
    with pytest.raises(ConfigurationError, match=r"Compose cannot read the project llm: llm/compose.yaml: is not there$"):
        planned(UpRequest(names=("llm/ui",)), of=two)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ModeRequest(mode="site"), "the mode site runs in the service vllm"),
        (UpRequest(names=("vllm",)), 'nothing is known of "vllm"'),
        (RestoreRequest(names=("vllm",)), "vllm ran before"),
    ],
    ids=str,
)
def test_what_no_project_has_is_not_laid_to_the_one_that_cannot_be_read(request_: ModeRequest, said: str) -> None:
    planned_with = rules(RULES.replace("modes: {", "modes: {site: {services: [vllm]}, "), BROKEN)
    with pytest.raises(ConfigurationError, match=f"{said}, which no other project has, and Compose cannot read") as refused:
        plan(request_, BROKEN, planned_with, seen(), 128 * GB)
    assert "where it is of no project there, name its own under projects" in (refused.value.hint or "")


def test_what_ran_before_comes_back_as_far_as_it_can_be_read_and_the_reason_is_said() -> None:
    found = planned(RestoreRequest(names=("training", "comfyui")), of=BROKEN)
    assert "training" in found.target
    assert "comfyui ran before, and Compose cannot read the project comfy: comfy/compose.yaml: is broken" in found.warnings
    with pytest.raises(
        ConfigurationError, match=r"comfyui ran before, which no other project has, and Compose cannot read the project comfy"
    ):
        planned(RestoreRequest(names=("comfyui",)), of=BROKEN)


class Recorded:
    """A Compose door that notes what it is asked."""

    def __init__(self, name: str, asked: list[tuple[object, ...]]) -> None:
        self._name, self._asked = name, asked

    def prepare(self) -> None:
        self._asked.append((self._name, "prepare"))

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool = False) -> None:
        self._asked.append((self._name, "create", tuple(services), tuple(variants), anew))

    def start(self, *services: str) -> None:
        self._asked.append((self._name, "start", services))

    def stop(self, service: str, seconds: int) -> None:
        self._asked.append((self._name, "stop", service, seconds))


def test_each_verb_goes_to_the_project_of_its_services_under_their_names_there() -> None:
    asked: list[tuple[object, ...]] = []
    verbs = ComposeOfSeveral(LAB, {name: Recorded(name, asked) for name in LAB.names})
    verbs.create(("comfy/ui", "training", "comfyui"), {"comfyui": ChosenVariant("large", {})}, True)
    verbs.start("training", "main/ui")
    verbs.stop("comfy/ui", 7)
    assert asked == [
        ("comfy", "create", ("ui", "comfyui"), ("comfyui",), True),
        ("main", "create", ("training",), (), True),
        ("main", "start", ("training", "ui")),
        ("comfy", "stop", "ui", 7),
    ]


def test_a_first_file_for_several_projects_names_them_and_the_services_as_the_lab_will() -> None:
    ui = {"image": "ui", "depends_on": {"cache": {"condition": "service_started"}}}
    main = {"name": "main", "services": {"ui": ui, "cache": {"image": "redis"}}}
    cuda = {"image": "pytorch/pytorch", "network_mode": "service:cache", "volumes_from": ["cache:ro"], "gpus": [{"count": 1}]}
    comfy = {"name": "comfy", "services": {"comfyui": cuda, "cache": {"image": "redis"}}}
    model = merged([main, comfy])
    assert list(model["services"]) == ["ui", "main/cache", "comfyui", "comfy/cache"]
    assert model["services"]["comfyui"]["volumes_from"] == ["comfy/cache:ro"]
    assert read_project(model, {}).services["comfyui"].shares == ("comfy/cache",)
    assert read_project(model, {}).services["ui"].needs == ("main/cache",)
    seen_there = survey(model, spark())
    text = written(propose(seen_there), (".", "../comfy"))
    assert 'projects: [".", "../comfy"] #' in text
    assert read_back(text).workloads["comfyui"].service == "comfyui"
    assert [one.folder for one in places_in(text, "rules.yaml")] == [".", "../comfy"]


def test_ports_and_names_exclude_across_projects() -> None:
    ports = [{"published": "8188", "target": 1}]
    lab = joined((project("main", {"a": {"ports": ports}}), project("comfy", {"b": {"ports": ports}})))
    both = rules("workloads: {a: {class: x, footprint: 1GB}, b: {class: y, footprint: 1GB}}", lab)
    found = plan(UpRequest(names=("a", "b")), lab, both, seen(), 128 * GB)
    assert found.refusal
    assert "both publish port 8188" in found.refusal.message


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("comfy", "projects: expected a list"),
        ("[]", "projects: expected a list"),
        ("[., 1]", "projects/1: expected a folder"),
        ("[{file: [a]}]", 'projects/0/file: unknown key "file"'),
        ("[{name: a}]", "projects/0: name the files"),
        ("[., {files: a.yaml}]", "projects/1/files: expected a list"),
        ("[., {files: [a.yaml], name: 1}]", "projects/1/name: expected the name"),
        ("[., ~/comfy]", "projects/1: ~/comfy: ~ is no home here; write the path from / on"),
        ("[., {files: [~/a.yaml]}]", "projects/1: ~/a.yaml: ~ is no home here"),
    ],
)
def test_a_mistake_in_projects_is_told_with_its_place(written: str, where: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        places_in(f"projects: {written}\n", "rules.yaml")
    assert refused.value.message.startswith(f"rules.yaml: {where}")


def test_projects_are_folders_or_files_and_rules_without_them_name_none() -> None:
    assert places_in("workloads: {}\n# no projects here\n", "rules.yaml") == ()
    there = (Place(folder="."), Place(files=("../vllm/compose.yaml",), name="llm", env_files=("x.env",)))
    listed = "\n- .\n\n# the models\n- files: [../vllm/compose.yaml]\n  name: llm\n  env_files:\n  - x.env\n"
    inline = " [., {files: [../vllm/compose.yaml], name: llm, env_files: [x.env]}]"
    for text in (
        f"workloads: {{}}\nprojects:{inline}\n",
        f"{{workloads: {{}}, projects:{inline}}}",
        f"projects:{listed}modes: {{}}\n",
    ):
        assert places_in(text, "rules.yaml") == there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rules that name it and another one, and a `.env` in each place where one may be."""
    for name in ("main", "comfy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text("services: {}")
    (tmp_path / "main" / "rules.yaml").write_text(RULES)
    (tmp_path / "main" / ".env").write_text("COMPOSE_PROJECT_NAME=main\n")
    return tmp_path


def test_a_lab_is_found_with_all_its_projects_each_with_its_own_env(folder: Path) -> None:
    found = find_lab(Flags(), {}, folder / "main")
    main, comfy = found.each
    assert (main.compose, comfy.compose) == ((f"{folder}/main/compose.yaml",), (f"{folder}/comfy/compose.yaml",))
    assert (main.project_name, main.env_files) == ("main", (f"{folder}/main/.env",))
    assert (comfy.project_name, comfy.env_files) == (None, ())
    assert found.under(f"{folder}/comfy", "x").others[0].project_name == "x"


def test_a_guard_is_named_by_the_rules_alone_and_trusts_no_file_of_any_project_that_others_may_write(folder: Path) -> None:
    found = find_lab(Flags(), {}, folder / "main")
    (command,) = [line for line in unit_text(found, "main", folder).splitlines() if line.startswith("ExecStart=")]
    assert command.endswith(f'"--rules" "{folder}/main/rules.yaml" "guard"')
    assert "--file" not in command
    require_trusted(found)
    (folder / "comfy" / "compose.yaml").chmod(0o666)
    with pytest.raises(ConfigurationError, match=r"comfy/compose.yaml may be written by everybody"):
        require_trusted(found)


def test_rules_that_name_their_projects_make_a_lab_without_a_compose_file_beside_them(folder: Path) -> None:
    (folder / "rules.yaml").write_text("projects: [main, comfy]\nworkloads: {}\n")
    found = find_lab(Flags(), {}, folder)
    assert [one.folder for one in found.each] == [f"{folder}/main", f"{folder}/comfy"]
    assert find_lab(Flags(rules=f"{folder}/rules.yaml"), {}, folder) == found


@pytest.mark.parametrize(
    ("flags", "environment"),
    [(Flags(files=("compose.yaml",)), {}), (Flags(project_name="x"), {}), (Flags(), {"COMPOSE_FILE": "compose.yaml"})],
)
def test_an_option_that_would_name_another_project_is_refused(flags: Flags, environment: dict[str, str], folder: Path) -> None:
    with pytest.raises(UsageFault, match="says which Compose projects this lab is made of"):
        find_lab(flags, environment, folder / "main")


def test_a_folder_of_one_of_its_projects_is_no_lab_of_its_own(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no lab yet, and no other is taken for it"):
        find_lab(Flags(), {}, folder / "comfy")


def set_to(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has set the lab in a folder."""
    environment = {"XDG_CONFIG_HOME": str(folder / "config")}
    lab_setting(environment).parent.mkdir(parents=True)
    lab_setting(environment).write_text(f"{folder / 'main'}\n")
    return environment


@pytest.mark.parametrize("env", ["", "COMPOSE_FILE=compose.yaml\n"])
def test_in_a_folder_of_one_of_its_projects_the_set_lab_is_meant(folder: Path, env: str) -> None:
    environment = set_to(folder)
    (folder / "comfy" / ".env").write_text(env)
    assert find_lab(Flags(), environment, folder / "comfy") == find_lab(Flags(), {}, folder / "main")
    (folder / "comfy" / "rules.yaml").write_text("workloads: {}\n")
    assert find_lab(Flags(), environment, folder / "comfy").compose == (f"{folder}/comfy/compose.yaml",)


def test_another_folder_is_not_taken_for_the_set_lab(folder: Path) -> None:
    environment = set_to(folder)
    (folder / "else").mkdir()
    (folder / "else" / "compose.yaml").write_text("services: {}\n")
    with pytest.raises(ConfigurationError, match=r"no lab yet, and no other is taken for it"):
        find_lab(Flags(), environment, folder / "else")


def test_rules_of_their_own_over_a_project_of_the_set_lab_are_told_as_a_second_lab(folder: Path) -> None:
    environment = set_to(folder)
    assert second_lab(find_lab(Flags(), environment, folder / "main"), environment) is None
    (folder / "comfy" / "rules.yaml").write_text("workloads: {}\n")
    said = second_lab(find_lab(Flags(), environment, folder / "comfy"), environment)
    assert said is not None
    assert f"the lab in {folder}/main has what is here among its projects already" in said


@pytest.mark.parametrize(
    ("projects", "said", "fix"),
    [
        ("[., ./]", "projects/1: it is the same as projects/0", "leave one of them out"),
        ("[., ../comfy/, ../comfy]", "projects/2: it is the same as projects/1", "leave one of them out"),
        (
            "[., ../comfy/compose.yaml]",
            "projects/1: ../comfy/compose.yaml is a file, and no folder",
            "name its folder, or the file as one: {files: [../comfy/compose.yaml]}",
        ),
    ],
)
def test_what_is_no_folder_or_there_twice_is_told_with_its_own_mend(projects: str, said: str, fix: str, folder: Path) -> None:
    (folder / "main" / "rules.yaml").write_text(f"projects: {projects}\nworkloads: {{}}\n")
    with pytest.raises(ConfigurationError, match=f"rules.yaml: {said}") as refused:
        find_lab(Flags(), {}, folder / "main")
    assert refused.value.hint == fix


def test_one_file_may_be_two_projects_of_different_names(folder: Path) -> None:
    twice = "[{files: [compose.yaml], name: a}, {files: [compose.yaml], name: b}]"
    (folder / "main" / "rules.yaml").write_text(f"projects: {twice}\nworkloads: {{}}\n")
    assert [one.project_name for one in find_lab(Flags(), {}, folder / "main").each] == ["a", "b"]


def test_a_gate_goes_from_the_folders_that_are_there_and_the_one_that_is_gone_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "comfy").rename(folder / "moved")
    monkeypatch.chdir(folder / "main")
    done = CliRunner().invoke(cli, ["gate", "uninstall"], obj=(options := CliOptions()))
    assert f"the gate of {folder}/main was not there" in done.output
    assert f"{folder}/comfy is not there, and rules.yaml names it; in its new place: spark-mode gate uninstall" in done.output
    assert options.exit_code == 3


@pytest.mark.parametrize("gone", ["main/rules.yaml", "main"])
def test_a_gate_whose_lab_is_gone_says_what_leads_on_where_docker_compose_asks(gone: str, folder: Path) -> None:
    (folder / gone).rename(folder / "moved")
    with pytest.raises(SparkModeError, match=f"{folder}/{gone} is gone, which this gate judges by") as refused:
        ask(Question("comfy", folder / "main", f"{folder}/main/rules.yaml", "comfyui"), os.getpid())
    assert "spark-mode gate install; without the gate, and the rule: spark-mode gate uninstall" in (refused.value.hint or "")


def test_an_extended_file_does_not_hand_its_projects_on() -> None:
    found = read_rules("extends: other\n", "rules.yaml", lambda _: RULES)
    assert found.projects == ()


def test_a_service_without_a_lab_of_several_has_no_project() -> None:
    assert all((one.project, one.plain) == ("", "") for one in MAIN.services.values())
    assert Service(name="x").project == ""


def reckoned(names: Sequence[str], of: Project, text: str = RULES) -> Budget:
    """Return the budget of names as `budget` shows it."""
    known = read_rules(text, "rules.yaml", lambda _: "")
    named = named_workloads(names, known, of)
    return budget(named, known, 128 * GB).unless_unknown(why_unknown(named, known, of))


def test_a_budget_does_not_decide_for_what_cannot_be_started_as_the_files_are() -> None:
    unread = joined((MAIN, Project(name="comfy", unusable={"": "compose.yaml is broken"})))
    assert reckoned(["comfyui"], LAB).decision == "yes"
    found = reckoned(["comfyui"], unread)
    assert (found.decision, found.reasons[-1].because) == (
        "unknown",
        "comfyui cannot be started: Compose cannot read the project comfy: compose.yaml is broken",
    )
    assert reckoned(["training"], unread).decision == "yes"
    assert reckoned(["training", "comfyui"], unread).decision == "no", "a rule forbids it whatever can be read"


def test_a_budget_does_not_decide_for_a_service_that_several_projects_have() -> None:
    found = reckoned(["ui"], LAB, RULES.replace("main/ui:", "ui:"))
    assert found.decision == "unknown"
    assert found.reasons[-1].because == "ui runs in the service ui, and several projects have it: main/ui or comfy/ui"
    assert reckoned(["main/ui"], LAB).decision == "yes"
