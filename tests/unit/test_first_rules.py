"""What `init` writes for projects such as people have, reduced to what it looks at."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest import approx

from spark_mode.engine.resolved import resolved
from spark_mode.init.limits import above_the_limits, advice
from spark_mode.init.notes import notes
from spark_mode.init.sizing import UNKNOWN
from spark_mode.init.together import together
from spark_mode.init.written import key, scalar
from spark_mode.lab.files import LabFiles
from spark_mode.lab.rules import AtMost, Exclusive, Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.lab.verbs import VERBS
from spark_mode.planning.budget import budget
from spark_mode.reporting.promises import impossible_modes
from tests.deep import DEEP
from tests.unit.first import SPARK, First, case, gpu, project, read_back, spark

ROOT = Path(__file__).parents[2]
EXAMPLES = 100 if DEEP else 40


def test_an_ollama_is_a_host_and_its_model_is_what_depends_on_it_asks_for() -> None:
    first = First(case("page_and_models"))
    assert [*first.rules.hosts] == ["ollama"]
    assert {name: one.host for name, one in first.rules.workloads.items()} == {"llama3.1:8b": "ollama"}
    assert first.gb("llama3.1:8b")[0] == approx(4.9, rel=0.1)
    said = "\n".join(notes(first.seen))
    assert "without OLLAMA_CONTEXT_LENGTH" in said
    assert "OLLAMA_NUM_PARALLEL=4" in said
    assert first.rules.modes["ollama"].services == ("ollama",), (
        "there is no other mode, and from a training one wants to come back"
    )
    assert first.rules.modes["ollama"].models == ("llama3.1:8b",), "it is what the mode is budgeted with"
    assert first.proposal.modes.left_out == {"search": "no service of it has a GPU"}
    classes = [first.class_of(name) for name in first.seen.placed]
    assert (classes.count("support"), classes.count("one-shot"), classes.count("llm")) == (5, 1, 1)


def test_a_share_in_the_environment_is_what_a_vllm_takes_and_a_client_with_the_same_settings_is_none() -> None:
    first = First(case("one_large_server"))
    assert list(first.rules.workloads) == ["vllm"]
    planned, _, high = first.gb("vllm")
    assert planned == 117.6
    assert high == approx(117.6 * 1.15 + 17.2, abs=0.1)
    by_flag = "--gpu-memory-utilization 0.9 of 130.7 GB: takes 117.6 GB by its flag"
    assert first.evidence("vllm") == f"{by_flag}, the weights are about 49 GB"
    (line,) = advice(above_the_limits(first.seen, first.proposal, first.machine.rules))
    assert line == (
        "vllm alone comes to 123.6 GB, of 102.1 GB: lower its --gpu-memory-utilization to 0.73, "
        "or live with limits of 123.6 GB, which leave 7.1 GB: the floor is 10.2 GB"
    )


def test_servers_without_a_profile_that_do_not_fit_together_are_a_mode_each() -> None:
    first = First(case("four_servers"))
    assert [*first.rules.modes] == ["vision", "embedding", "gpt-oss-120b", "coder"]
    assert all(mode.services == (name,) for name, mode in first.rules.modes.items())
    assert [first.gb(name)[:2] for name in ("gpt-oss-120b", "embedding", "coder")] == [(76.5, 63.8), (5.1, 4.2), (8.6, 7.1)]
    assert "a share of what is free: alone" in first.evidence("vision")
    assert not first.seen.fits(["vision", "embedding"])
    assert first.seen.fits(["vision"])


def test_what_is_for_other_machines_is_left_out_and_says_why() -> None:
    first = First(case("one_kit_three_machines"))
    assert [*first.rules.modes] == ["gpu-nvidia"]
    assert "# cpu is none: it is for another machine (cpu)" in first.text
    assert "# gpu-amd is none: it is for another machine (amd)" in first.text
    assert first.rules.profiles["gpu-nvidia"].models == ("llama3.2",)
    assert first.gb("llama3.2")[0] == approx(2.0, rel=0.1)
    assert list(first.rules.hosts) == ["ollama-gpu"]
    assert [name for name in ("import", "pull-gpu", "flows", "store") if first.class_of(name) == "one-shot"] == [
        "import",
        "pull-gpu",
    ]


def test_two_programs_of_which_nothing_is_known_are_never_active_together() -> None:
    first = First(case("two_painters"))
    assert [*first.rules.modes] == ["auto", "comfy"]
    (rule,) = first.rules.rules
    assert isinstance(rule, AtMost)
    assert rule.of == ("auto", "comfy")
    assert "port 7860" in rule.because
    assert first.proposal.modes.left_out.keys() == {"download", "auto-cpu", "comfy-cpu"}
    said = "\n".join(notes(first.seen))
    assert "auto: stop_signal: SIGKILL" in said
    assert "comfy: stop_signal: SIGKILL" in said
    assert "auto and comfy have port 7860" in said


def test_many_servers_in_one_profile_are_a_mode_each_and_none_is_larger_than_the_machine() -> None:
    server = {"image": "node/vllm:1", "profiles": ["models"], "restart": "no", "shm_size": "17179869184"}
    flags = ["vllm", "serve", "org/Model-70B-NVFP4", "--gpu-memory-utilization"]
    first = First(
        project(
            gateway={"image": "nginx", "restart": "unless-stopped"},
            waker={
                "build": {},
                "volumes": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"}],
            },
            small=gpu(image="node/sglang", command=["python3", "-m", "sglang.launch_server", "--mem-fraction-static", "0.05"]),
            **{f"model-{number}": gpu(**server, command=[*flags, f"0.{number}"]) for number in range(60, 84)},
        )
    )
    assert len(first.rules.modes) == 25
    assert first.rules.modes["small"].services == ("small",), "it would fit beside none of the others"
    assert max(one.footprint.planned for one in first.rules.workloads.values()) < SPARK
    assert first.gb("small")[0] == approx(0.05 * SPARK / 10**9 + 6, abs=0.1)
    (rule,) = first.rules.rules
    assert isinstance(rule, AtMost)
    assert len(rule.of) == 24
    assert "waker: it has the engine's socket, and can start containers past every rule" in notes(first.seen)


def pairs(rules: Rules) -> set[frozenset[str]]:
    return {frozenset(rule.exclusive) for rule in rules.rules if isinstance(rule, Exclusive)}


def test_the_audio_lab_has_the_classes_the_modes_and_the_exclusive_rules_of_its_own_rules() -> None:
    lab = LabFiles((str(ROOT / "compose/audio-lab.yaml"),), "")
    first, shipped = First(resolved(lab, "/nowhere").model), read_back((ROOT / "rules.yaml").read_text())
    assert first.rules.classes.keys() == shipped.classes.keys()
    assert {name for name, one in first.rules.classes.items() if one.runs_to_end} == {"training"}
    assert {name: (one.class_, {*one.profiles}) for name, one in first.rules.modes.items()} == {
        name: (one.class_, {*one.profiles}) for name, one in shipped.modes.items()
    }
    assert pairs(first.rules) == pairs(shipped)
    for name in ("omni", "whisper", "f5", "qwen", "chatterbox", "xtts"):
        known = shipped.workloads[name].footprint
        assert known.low <= first.rules.workloads[name].footprint.planned <= known.high, name
        assert first.rules.workloads[name].class_ == "audio"


def test_a_host_that_names_no_model_is_excluded_by_what_runs_to_its_end_all_the_same() -> None:
    first = First(project(ollama=gpu(image="ollama/ollama"), tuner=gpu(image="axolotl", profiles=["tune"])))
    (model,) = first.rules.models_of_host("ollama")
    assert frozenset({"training", model.class_}) in pairs(first.rules)
    assert "ollama: which models it serves is not said" in "\n".join(notes(first.seen))


def test_a_figure_of_any_length_and_an_address_with_colons_are_read() -> None:
    ports = [{"target": 80, "published": "80", "host_ip": "::1"}]
    settings = {"OLLAMA_NUM_PARALLEL": "9" * 5000}
    first = First(
        project(ollama=gpu(image="ollama/ollama", environment=settings, ports=ports), other=gpu(image="x", ports=ports))
    )
    said = "\n".join(notes(first.seen))
    assert "OLLAMA_NUM_PARALLEL" not in said
    assert "ollama and other have port [::1]:80" in said


def test_a_host_that_names_no_model_and_runs_is_asked_what_it_has() -> None:
    listed = {("11434",): {"qwen3:8b": 5 * 10**9, "../x": 1, "empty": 0}}
    ports = [{"target": 11434, "published": "11434"}]
    first = First(project(ollama=gpu(image="ollama/ollama", ports=ports)), spark(listed=lambda ports: listed.get(ports, {})))
    assert {name: one.footprint.planned for name, one in first.rules.workloads.items()} == {"qwen3:8b": 5 * 10**9}
    assert not first.rules.profiles


def test_a_page_its_ollama_and_a_trainer_are_a_lab_with_two_modes() -> None:
    first = First(
        project(
            **{
                "open-webui": {
                    "image": "open-webui",
                    "depends_on": {"ollama": {}},
                    "environment": {"DEFAULT_MODELS": "qwen3:32b"},
                }
            },
            ollama=gpu(image="ollama/ollama"),
            finetune=gpu(image="me/finetune", profiles=["finetune"]),
        )
    )
    assert {name: (mode.class_, mode.services) for name, mode in first.rules.modes.items()} == {
        "finetune": ("training", ()),
        "ollama": ("llm", ("ollama",)),
    }
    assert pairs(first.rules) == {frozenset({"training", "llm"})}
    assert first.gb("qwen3:32b")[0] == approx(20, rel=0.1)


def test_two_models_of_one_project_that_fit_are_one_mode_and_two_that_do_not_are_two() -> None:
    def lab(share: float) -> First:
        server = {"image": "vllm", "profiles": ["chat"]}
        return First(
            project(
                chat=gpu(**server, command=["vllm", "serve", "a/b", f"--gpu-memory-utilization={share}"]),
                code=gpu(**server, command=["vllm", "serve", "a/c", f"--gpu-memory-utilization={share}"]),
            )
        )

    assert [*lab(0.3).rules.modes] == ["chat"]
    assert not lab(0.3).rules.rules
    assert [*lab(0.45).rules.modes] == ["chat", "code"]
    assert len(lab(0.45).rules.rules) == 1


def test_a_service_called_like_a_command_becomes_a_mode_with_another_name_and_that_is_said() -> None:
    first = First(
        project(status=gpu(image="vllm", command=["vllm", "serve", "--gpu-memory-utilization", "0.3"], profiles=["status"]))
    )
    assert [*first.rules.modes] == ["status-mode"]
    assert first.rules.modes["status-mode"].profiles == ("status",)
    assert first.proposal.modes.said == (
        "the mode of status is called status-mode: status means something to spark-mode already",
    )
    assert "status" in VERBS


def test_what_is_unknown_alone_is_admitted_and_nothing_fits_beside_it() -> None:
    first = First(project(a=gpu(image="made-up", profiles=["a"]), b=gpu(image="whisper", profiles=["b"]), page={"image": "page"}))
    assert first.evidence("a") == UNKNOWN
    page = first.rules.workloads["b"].model_copy(
        update={"class_": "", "footprint": read_back("workloads: {x: {class: x, footprint: 1GB}}").workloads["x"].footprint}
    )
    assert budget([first.rules.workloads["a"], page], first.rules, SPARK).memory == "tight"
    assert budget([first.rules.workloads["a"], first.rules.workloads["b"], page], first.rules, SPARK).memory == "oom-risk"
    assert together(first.seen, first.proposal) == {"no: no two of them fit into the memory together": ["a + b"]}


@pytest.mark.parametrize(
    "name", ["page_and_models", "one_large_server", "four_servers", "one_kit_three_machines", "two_painters"]
)
def test_the_same_project_gives_the_same_bytes_and_no_secret_of_it(name: str) -> None:
    assert First(case(name)).text == First(case(name)).text
    assert "canary" not in First(case(name)).text


def test_names_that_are_there_twice_are_told_apart_and_those_that_cannot_be_written_are_left_out() -> None:
    pull = {"image": "ollama/ollama", "entrypoint": ["ollama", "pull", "llama3.2"]}
    first = First(
        project(
            a=gpu(image="ollama/ollama"),
            b=gpu(image="ollama/ollama"),
            **{
                "pull-a": {**pull, "depends_on": {"a": {}}},
                "pull-b": {**pull, "depends_on": {"b": {}}},
                "_hidden": gpu(image="whisper"),
            },
        )
    )
    assert {name: (one.model, one.host) for name, one in first.rules.workloads.items()} == {
        "llama3.2": ("llama3.2", "a"),
        "llama3.2-on-b": ("llama3.2", "b"),
    }
    assert any(line.startswith("_hidden: ") for line in notes(first.seen))


def test_a_lab_of_its_own_by_its_labels_is_one_by_its_rules() -> None:
    labels = {"labels": {"org.spark-mode.scope": "project"}}
    assert First(project(a=gpu(image="whisper", **labels))).rules.scope == "project"
    assert First(project(a=gpu(image="whisper", **labels), b={"image": "page"})).rules.scope == "machine"


@settings(max_examples=EXAMPLES)
@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.:/-]{0,20}", fullmatch=True))
@example("on")
@example("1e5")
@example("2026-11-27")
@example("12:30")
@example("0x1f")
@example("null")
def test_every_name_is_written_so_that_it_is_read_as_itself(name: str) -> None:
    assert yaml.safe_load(f"a: {{b: {scalar(name)}, c: [{scalar(name)}]}}") == {"a": {"b": name, "c": [name]}}
    assert yaml.safe_load(f"a:\n  {key(name)}: {{b: 1}} # why") == {"a": {name: {"b": 1}}}


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.from_regex(r"[a-zA-Z0-9._-]{1,12}", fullmatch=True), st.sampled_from(range(6)), min_size=1, max_size=6))
def test_whatever_a_project_is_called_and_has_its_file_can_be_read_back(kinds: dict[str, int]) -> None:
    kind = (
        gpu(image="ollama/ollama"),
        gpu(image="me/train", profiles=["a"]),
        gpu(image="vllm", profiles=["a", "status"]),
        gpu(image="whisper", profiles=["b", "status"]),
        {"image": "page"},
        gpu(image="x"),
    )
    lab = project(**{"keep": gpu(image="x"), **{name: kind[number] for name, number in kinds.items()}})
    first = First(lab)
    assert first.text == First(lab).text
    assert not {*first.rules.modes} & {*VERBS}


WORDS = st.sampled_from(
    [
        *("", "-", "--model", "vllm", "serve", "ollama", "pull", "sglang serve", "--gpu-memory-utilization", "0.5", "0", "1e9"),
        *(
            "9" * 5000,
            "999999999999999",
            "a-0B",
            "99999B",
            "9999x9999B",
            "a/b-8B",
            "llama3.1:8b",
            "hf.co/a/b:x",
            "'",
            "\n",
            "${X}",
        ),
        *("--kv-cache-memory-bytes", "--gpu-memory-utilization-gb", "--mem-fraction-static", "0.001", "hf.co/a/" + "b" * 200),
    ]
)
SERVICES = st.fixed_dictionaries(
    {
        "image": st.sampled_from(["", "vllm", "sglang", "ollama/ollama", "llama.cpp:9", "x@sha256:ab", "comfyui"]),
        "command": st.lists(WORDS, max_size=6),
        "environment": st.dictionaries(st.sampled_from(["MODEL", "VLLM_GPU_MEMORY_UTILIZATION", "OLLAMA_NUM_PARALLEL"]), WORDS),
        "profiles": st.lists(st.sampled_from(["a", "b", "cpu", "status"]), max_size=2, unique=True),
        "shm_size": st.sampled_from(["0", "16gb", "x", "9" * 30]),
    }
)


@settings(max_examples=EXAMPLES)
@given(SERVICES, SERVICES)
def test_whatever_the_services_of_a_project_say_its_file_can_be_read_back(one: dict[str, Any], other: dict[str, Any]) -> None:
    first = First(project(one=gpu(**one), other={**other, "depends_on": {"one": {}}}, keep=gpu(image="x")))
    assert [*first.rules.workloads] == [each.name for each in first.proposal.workloads]


def test_a_size_is_that_of_one_container_and_all_that_compose_starts_are_counted() -> None:
    def lab(share: float) -> First:
        server = gpu(image="vllm", profiles=["a"], command=["vllm", "serve", f"--gpu-memory-utilization={share}"])
        server["deploy"] = {**server["deploy"], "replicas": 2}
        return First(
            project(
                a=server,
                b=gpu(image="whisper", profiles=["b"]),
                unknown={"image": "x", "profiles": ["u"], "runtime": "nvidia", "deploy": {"replicas": 3}},
                none=gpu(image="x", profiles=["b"]) | {"scale": 0},
                workers={"image": "worker", "deploy": {"replicas": 4}},
            )
        )

    first = lab(0.3)
    assert first.gb("a")[0] == 39.2
    assert "of each, and Compose starts 2" in first.evidence("a")
    assert first.rules.workloads["workers"].class_ == "support"
    assert "none" not in first.rules.workloads
    rules = with_project(first.rules, first.seen.project)
    assert not [*impossible_modes(first.seen.project, rules, SPARK)]
    assert [one.name for one in above_the_limits(lab(0.4).seen, lab(0.4).proposal, first.machine.rules)] == ["a"]
    assert first.gb("unknown")[0] == approx((98 - 4 - 2) / 3, abs=0.2)
