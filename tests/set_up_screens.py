"""The screens of what sets up and takes away, drawn from paths and versions that are fixed here."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

from click.testing import CliRunner

from documents.spark import MEMORY, OWN
from spark_mode.cli.example import leads_on
from spark_mode.cli.first_questions import answered
from spark_mode.cli.first_rules import FirstRules
from spark_mode.cli.gate import installed_text as gate_text
from spark_mode.cli.guard import installed_text as guard_text
from spark_mode.cli.init import refusal
from spark_mode.cli.installation import OF_USER, OwnFile
from spark_mode.cli.lab import lab_text, set_text
from spark_mode.cli.page import installed_text as page_unit_text
from spark_mode.cli.page import ready_text
from spark_mode.cli.page_unit import FOLDER as PAGE_UNITS
from spark_mode.cli.page_unit import NAME as PAGE_UNIT
from spark_mode.cli.plugin import installed_text as plugin_text
from spark_mode.cli.rules import rules_text
from spark_mode.cli.setup import ZSH, done_text, planned_text
from spark_mode.cli.show_first_rules import shown
from spark_mode.cli.uninstall import listed, told
from spark_mode.cli.version import Versions, version_text
from spark_mode.enforcement.gate_file import NAME as GATE
from spark_mode.enforcement.unit import FOLDER as UNITS
from spark_mode.enforcement.unit import unit_name
from spark_mode.init.notes import notes
from spark_mode.lab.files import RULES_NAME, LabFiles
from spark_mode.lab.rules_of_project import assumed_of_project
from spark_mode.lab.rules_reading import read_rules_and_assumed
from tests.unit.first import First, gpu, project, spark

HOME = Path("/home/ann")
LAB = HOME / "audio-lab"
FILES = LabFiles((str(LAB / "compose.yaml"),), str(LAB / RULES_NAME))
URL = f"http://127.0.0.1:8710/link?token={'x' * 43}"
SMALLEST = """\
workloads:
  finetune: {footprint: 60GB, runs_to_end: true}
  open-webui: 2GB
rules: [{exclusive: [finetune, open-webui]}]
modes:
  tune: {services: [finetune]}
  chat: {services: [open-webui]}
"""
"""A file that leaves out all that it may."""


def _first() -> FirstRules:
    """Return what `init` makes of two servers and a training on a Spark."""
    served = ["vllm", "serve", "Qwen/Qwen2.5-7B-Instruct", "--gpu-memory-utilization", "0.3"]
    model = project(
        chat=gpu(image="vllm/vllm-openai", command=served, profiles=["chat"]),
        paint=gpu(image="comfyui", profiles=["paint"]),
        finetune=gpu(image="me/finetune", profiles=["tune"]),
        page={"image": "open-webui", "ports": [{"target": 8080}], "depends_on": {"chat": {}}, "profiles": ["chat"]},
    )
    made = First(model)
    files = LabFiles((str(HOME / "studio/compose.yaml"),), str(HOME / "studio" / RULES_NAME))
    return FirstRules(files, model, made.seen, made.proposal, made.text, tuple(notes(made.seen)))


def _init(width: int) -> str:
    made = _first()
    found = ["compose: finetune: 10 s to write a checkpoint before it is killed"]
    return shown(made, Path(made.files.rules), True, found, width)


def _init_where_a_file_is(_: int) -> str:
    made = _first()
    there = b"workloads: {chat: {class: llm, footprint: 40GB}}\nmodes: {chat: {}}\n"
    return refusal(Path(made.files.rules), made, there)


def _init_asks(width: int) -> str:
    """Draw the questions, each with what is answered: nothing but a size."""
    machine = spark()
    seen = _first().seen
    with CliRunner(env={"COLUMNS": str(width)}).isolation("paint=24GB\n\n\n"), redirect_stderr(_Terminal()) as screen:
        answered(seen, machine)
    return screen.getvalue().rstrip()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _rules(width: int) -> str:
    rules, assumed = read_rules_and_assumed(SMALLEST, RULES_NAME, str, lambda: MEMORY)
    of_project = assumed_of_project(rules, rules, OWN)
    return rules_text(rules, [*assumed.items(), *of_project.items()], width)


def _version(_: int) -> str:
    found = Versions(docker="28.5.2", compose="2.40.3", lab=FILES.rules, guard="0.1.0")
    return version_text(found, str(HOME / ".local/share/pipx/venvs/spark-mode"), "3.12.3")


def _setup(_: int) -> str:
    files = [_own("`docker spark` is spark-mode", ".docker/cli-plugins/docker-spark", "docker")]
    files += [_own(f"{shell} completes spark-mode", path, shell) for shell, path in OF_USER.items()]
    return planned_text(files, ())


def _own(purpose: str, path: str, needs: str) -> OwnFile:
    return OwnFile(purpose, HOME / path, "", "", 0o644, needs)


def _uninstall(_: int) -> str:
    left = [
        {"what": "the guard spark-mode-guard-audio-lab.service", "why": "Permission denied", "fix": "sudo spark-mode uninstall"}
    ]
    removed = [f"the gate of {LAB}", str(HOME / ".docker/cli-plugins/docker-spark"), str(HOME / OF_USER["bash"])]
    policies = ["docker update --restart unless-stopped audio-lab-omni-1"]
    return "\n".join(told(removed, left, policies, None))


SET_UP: dict[str, tuple[str, Callable[[int], str]]] = {
    "init": ("init ../studio", _init),
    "init-that-asks": ("init ../studio", _init_asks),
    "init-where-a-file-is": ("init ../studio", _init_where_a_file_is),
    "init-example": ("init --example", lambda _: leads_on(LAB)),
    "rules": ("rules", _rules),
    "lab": ("lab", lambda _: lab_text(FILES, None)),
    "lab-that-is-set": ("lab .", lambda _: set_text(LAB)),
    "version": ("version", _version),
    "setup": ("setup --dry-run", _setup),
    "setup-that-is-done": ("setup --yes", lambda _: done_text([ZSH], is_root=False)),
    "uninstall": ("uninstall --yes", _uninstall),
    "uninstall-that-shows": ("uninstall --dry-run", lambda _: listed([f"the gate of {LAB}", str(HOME / OF_USER["fish"])])),
    "gate": ("gate install", lambda _: gate_text([LAB / GATE], [])),
    "guard": ("guard install", lambda _: guard_text(Path("/", UNITS, unit_name("audio-lab")), FILES)),
    "plugin": ("plugin install", lambda _: plugin_text(HOME / ".docker/cli-plugins/docker-spark")),
    "page": ("page", lambda _: ready_text(URL, "ssh -L 8710:127.0.0.1:8710 ann@spark")),
    "page-install": ("page install", lambda _: page_unit_text(HOME / ".config" / PAGE_UNITS / PAGE_UNIT, "ann")),
}
"""What is typed for each, and what draws it; none of them names the lab in a line of its own."""
UNBROKEN = ("init-where-a-file-is", "init-example", "rules", "lab")
"""Those of which lines are copied, so that they stay as they are at any width."""
