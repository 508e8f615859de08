"""What a service takes, and what that rests on: each piece of evidence, and what is no evidence."""

from typing import Any

import pytest
from pytest import approx

from spark_mode.init.model_name import bits, is_ollama_model, ollama_weights, parameters
from spark_mode.init.sizing import UNKNOWN, Size
from spark_mode.init.words import flag, pulled, words
from tests.unit.first import SPARK, First, gpu, project, spark

GB = 10**9


def only(**service: Any) -> First:
    """Return what becomes of a project with one service that reserves a GPU."""
    return First(project(one=gpu(**service)))


@pytest.mark.parametrize(
    ("name", "billions", "width"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 8, 16),
        ("Qwen/Qwen3-30B-A3B", 30, 16),
        ("mistralai/Mixtral-8x7B-v0.1", 56, 16),
        ("gpt-oss-120b-mxfp4-00001-of-00003.gguf", 120, 4.25),
        ("deepseek-coder-6.7b-instruct.Q8_0.gguf", 6.7, 8.5),
        ("Llama-3.3-70B-Q4_K_M.gguf", 70, 4.85),
        ("vendor/Model-Super-49B-v1_5-FP8", 49, 8),
        ("org/EuroModel-22B-nvfp4", 22, 4.5),
        ("org/Model-7B-Instruct-AWQ", 7, 4.5),
        ("org/Model-7B-GPTQ-Int8", 7, 8),
        ("Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", 1.7, 16),
        ("Qwen/Qwen2.5-7B-Instruct-1M", 7, 16),
        ("google/gemma-3-270m", 0.27, 16),
        ("google/gemma-4-E2B-it", None, 16),
        ("org/Model-0B", None, 16),
        ("openai/gpt-oss-20b", 20, 4.25),
        ("ggml-org/Model-8B-GGUF", 8, 4.85),
        ("ggml-org/Model-8B-GGUF:Q8_0", 8, 8.5),
        ("cyankiwi/GLM-4.7-Flash-AWQ-4bit", None, 4.5),
        ("Systran/faster-whisper-large-v3", None, 16),
    ],
)
def test_a_name_tells_the_parameters_and_the_bits_of_a_model(name: str, billions: float | None, width: float) -> None:
    assert (parameters(name), bits(name)) == (billions, width)


@pytest.mark.parametrize(
    ("name", "gb"),
    [
        ("llama3.1:8b", 4.85),
        ("llama3.2", 1.94),
        ("qwen3:32b-q8_0", 34.0),
        ("x:24b-fp16", 48.0),
        ("made-up", None),
        ("x:latest", None),
    ],
)
def test_a_model_of_ollama_weighs_what_its_tag_says_or_what_the_library_serves(name: str, gb: float | None) -> None:
    told = ollama_weights(name)
    assert told == (None if gb is None else approx(gb * GB, rel=0.01))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("llama3.1:8b", True),
        ("llama3.2", True),
        ("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF", True),
        ("huggingface.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q8_0", True),
        ("Llama-3.2-3B-Instruct-GGUF:Q8_0", False),
        ("hf.co/longer-than-a-name-of-a-workload/" + "x" * 100, False),
        ("disabled", False),
        ("ollama:11434", False),
        ("http://a:1", False),
        ("A b", False),
    ],
)
def test_what_is_the_name_of_an_ollama_model(text: str, is_one: bool) -> None:
    assert is_ollama_model(text) is is_one


def test_a_script_is_taken_apart_as_a_shell_would_and_the_last_of_a_flag_wins() -> None:
    said = words(["bash", "-c"], ["vllm serve a/b --gpu-memory-utilization 0.5; vllm serve c --gpu_memory_utilization=0.6"])
    assert flag(said, "gpu-memory-utilization") == "0.6"
    assert flag(said, "model") is None
    assert [
        *pulled(words(None, ["sh", "-c", "sleep 3; ollama pull llama3.2 && /bin/ollama pull 'qwen3:8b'; ollama pull $X"]))
    ] == [
        "llama3.2",
        "qwen3:8b",
    ]
    assert words("it's broken") == ("it's", "broken")


@pytest.mark.parametrize(
    ("command", "environment", "share"),
    [
        (["vllm", "serve", "a/b", "--gpu-memory-utilization", "0.5"], {}, 0.5),
        (["vllm", "serve", "a/b", "--gpu-memory-utilization=0.5", "--gpu-memory-utilization", ".9"], {}, 0.9),
        (["bash", "-c", "exec vllm serve a/b --gpu-memory-utilization 0.25"], {}, 0.25),
        (["vllm", "serve", "a/b"], {"VLLM_GPU_MEMORY_UTILIZATION": "0.7"}, 0.7),
        (["vllm", "serve", "a/b", "--gpu-memory-utilization", "0.5"], {"VLLM_GPU_MEMORY_UTILIZATION": "0.7"}, 0.5),
        (["bash", "-c", "vllm serve a --gpu-memory-utilization $$U"], {"VLLM_GPU_MEMORY_UTILIZATION": "0.7"}, 0.7),
        (["vllm", "serve", "a/b"], {}, 0.92),
    ],
)
def test_a_vllm_takes_its_share_of_the_whole_memory(command: list[str], environment: dict[str, str], share: float) -> None:
    first = only(image="vllm/vllm-openai", command=command, environment=environment)
    planned, _, high = first.gb("one")
    assert planned == approx(share * SPARK / GB, abs=0.1)
    assert high == approx(share * SPARK * 1.15 / GB, abs=0.1)
    assert ("default" in first.evidence("one")) is (share == 0.92)


@pytest.mark.parametrize("share", ["112", "0", "1.01", "-0.5", "a half", "", "nan", "1e-1", "0x1"])
def test_what_is_no_share_is_unknown(share: str) -> None:
    first = only(image="vllm/vllm-openai", command=["vllm", "serve", "a/Model-8B", "--gpu-memory-utilization", share])
    assert not first.proposal.workloads[0].known
    assert first.evidence("one").endswith(UNKNOWN)


@pytest.mark.parametrize(
    ("service", "planned", "words"),
    [
        (
            {
                "image": "vllm",
                "command": "vllm serve a/Model-8B --kv-cache-memory-bytes 10000000000 --gpu-memory-utilization 0.9",
            },
            16 + 10 + 4,
            "--kv-cache-memory-bytes",
        ),
        ({"image": "sglang", "command": ["--mem-fraction-static", "0.5"]}, 0.5 * SPARK / GB + 6, "--mem-fraction-static 0.5"),
        ({"image": "eugr/vllm", "command": ["vllm", "serve", "--gpu-memory-utilization-gb", "40"]}, 40, "utilization-gb 40"),
        ({"image": "llama.cpp:server-cuda", "command": ["-m", "/m/a-8b-Q8_0.gguf"]}, 8 * 8.5 / 8 * 1.2, "by its name"),
        ({"image": "me/server", "environment": {"HF_MODEL_ID": "a/Model-8B"}}, 19.2, "by its name"),
        ({"image": "ghcr.io/x/whisper-cuda"}, 3, "docs/lab-sources.md"),
        (
            {"image": "vllm", "command": ["vllm", "serve", "Qwen/Qwen2.5-Omni-3B", "--omni", "--deploy-config", "/x"]},
            8,
            "docs/lab-sources.md",
        ),
    ],
)
def test_the_first_evidence_that_applies_is_taken_and_named(service: dict[str, Any], planned: float, words: str) -> None:
    first = only(**service)
    assert first.gb("one")[0] == approx(planned, abs=0.1)
    assert words in first.evidence("one")
    assert f"# {first.evidence('one')}" in first.text, "it stands beside the line"


@pytest.mark.parametrize(
    "service",
    [
        {"image": "nvcr.io/nim/meta/llama-3.1-8b-instruct"},
        {"image": "nvcr.io/nvidia/tensorrt-llm/release", "command": ["trtllm-serve", "serve", "a/Model-8B"]},
        {"image": "vllm", "command": ["vllm", "serve", "a/b", "--kv-cache-memory-bytes", "1000000000"]},
        {"image": "sglang", "command": ["python", "-m", "sglang.launch_server", "--model-path", "a/Model-8B"]},
        {"image": "axolotl", "environment": {"BASE_MODEL": "a/Model-8B"}},
        {"image": "diffusers", "environment": {"MODEL_ID": "a/Painter-12B"}},
        {
            "image": "comfyui",
            "mem_limit": "1073741824",
            "deploy": {"resources": {"limits": {"memory": "1073741824"}}},
            "gpus": "all",
        },
    ],
)
def test_what_tells_nothing_of_its_size_counts_the_whole_machine(service: dict[str, Any]) -> None:
    first = only(**service)
    assert not first.proposal.workloads[0].known
    assert first.gb("one")[0] == approx(98, abs=0.2)


def test_weights_on_the_disk_go_before_the_name_and_what_was_measured_before_all() -> None:
    files = {
        "/srv/models/a-8b-Q8_0.gguf": 9 * GB,
        "/home/me/.cache/huggingface/hub/models--a--Model-8B": 15 * GB,
        "/srv/hf/models--b--Model-8B": 14 * GB,
    }
    mount = {"type": "bind", "source": "/srv/models", "target": "/models"}
    cache = {"type": "bind", "source": "/home/me/.cache/huggingface", "target": "/root/.cache/huggingface"}
    inner = {"type": "bind", "source": "/srv/hf", "target": "/root/.cache/huggingface/hub"}
    lab = project(
        file=gpu(image="llama.cpp", command=["-m", "/models/a-8b-Q8_0.gguf"], volumes=[mount]),
        inner=gpu(image="me/server", environment={"MODEL": "b/Model-8B"}, volumes=[inner]),
        hub=gpu(image="me/server", environment={"MODEL": "a/Model-8B"}, volumes=[cache]),
        seen=gpu(image="llama.cpp", command=["-m", "/models/a-8b-Q8_0.gguf"], volumes=[mount]),
    )
    first = First(
        lab, spark(weights_at=files.get, measured={"seen": Size(7 * GB, 6 * GB, 8 * GB, "measured: the median of 2 starts")})
    )
    assert first.gb("file")[0] == approx(9 * 1.1 + 2, abs=0.1)
    assert first.gb("hub")[0] == approx(15 * 1.1 + 2, abs=0.1)
    assert first.gb("inner")[0] == approx(14 * 1.1 + 2, abs=0.1)
    assert first.gb("seen") == (7, 6, 8)


def test_shared_memory_adds_to_the_high_end_alone() -> None:
    first = only(image="llama.cpp", command=["-m", "/m/a-8b.gguf"], shm_size="16gb")
    planned, _, high = first.gb("one")
    assert planned == 19.2
    assert high == approx(19.2 + 17.2, abs=0.1)


@pytest.mark.parametrize(
    ("service", "class_"),
    [
        ({"image": "vllm/vllm-openai"}, "llm"),
        ({"image": "vllm/vllm-openai", "command": ["vllm", "serve", "mistralai/Voxtral-Mini-3B"]}, "audio"),
        (
            {"image": "vllm/vllm-openai", "command": ["vllm", "serve", "a/b", "--enable-lora", "--lora-modules", "x=/train"]},
            "llm",
        ),
        ({"image": "ghcr.io/remsky/kokoro-fastapi-gpu"}, "audio"),
        ({"image": "me/my_tts"}, "audio"),
        ({"image": "yanwk/comfyui-boot"}, "image"),
        ({"image": "audio-lab-stand-in", "container_name": "one"}, "audio"),
        ({"image": "audio-lab/comfyui"}, "image"),
        ({"image": "me/voice-llm"}, "audio"),
        ({"image": "ultralytics/ultralytics"}, "vision"),
        ({"image": "pytorch", "command": ["python", "train.py"]}, "training"),
        ({"image": "pytorch", "command": ["accelerate", "launch", "run.py"]}, "training"),
        ({"image": "unsloth/unsloth"}, "training"),
        ({"image": "ostris/ai-toolkit"}, "training"),
        ({"image": "me/something"}, "other"),
        ({"image": "python", "command": ["python", "-m", "vllm.entrypoints.openai.api_server"]}, "llm"),
    ],
)
def test_a_class_is_told_by_the_engine_or_by_words(service: dict[str, Any], class_: str) -> None:
    assert only(**service).class_of("one") == class_


@pytest.mark.parametrize(
    "asks",
    [
        {"runtime": "nvidia"},
        {"gpus": "all"},
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "cdi", "device_ids": ["nvidia.com/gpu=all"]}]}}}},
    ],
)
def test_a_gpu_is_seen_however_it_is_asked_for(asks: dict[str, Any]) -> None:
    assert First(project(one={"image": "me/x", **asks}, two={"image": "me/y"})).rules.workloads.keys() == {"one"}


def test_no_value_that_is_not_looked_at_is_kept_shown_or_written() -> None:
    canary = "canary-7b"
    lab = project(
        one=gpu(
            image="vllm/vllm-openai",
            command=["vllm", "serve", "a/b", "--api-key", canary, "--gpu-memory-utilization", "0.4", f"--x={canary}"],
            environment={"HF_TOKEN": canary, "MODEL_API_KEY": canary, "MODEL_URL": canary, "ANY": canary},
            labels={"x": canary},
            healthcheck={"test": ["CMD", canary]},
            volumes=[{"type": "bind", "source": f"/{canary}", "target": f"/{canary}"}],
            secrets=[{"source": canary}],
            build={"context": canary, "args": {"TOKEN": canary}},
            hostname=canary,
        ),
        page={"image": "page", "environment": {"SECRET": canary}, "command": ["run", canary], "depends_on": {"one": {}}},
    )
    first = First(lab)
    assert canary not in f"{first.seen} {first.proposal} {first.text}"


@pytest.mark.parametrize(
    "service",
    [
        {"image": "app", "command": ["sh", "-c", "until curl http://vllm:8000/health; do sleep 1; done; run --host vllm"]},
        {"image": "app", "environment": {"VLLM_BASE_URL": "http://vllm", "NIM_KEY": "x", "MODEL": "a/Model-8B"}},
        {"image": "vllm/router"},
        {"image": "ghcr.io/ollama-webui/ollama-webui"},
        {"image": "open-webui/open-webui:ollama"},
        {"image": "ollama/ollama", "entrypoint": ["sh", "-c", "ollama pull llama3.2"]},
    ],
)
def test_what_only_speaks_to_a_server_is_none(service: dict[str, Any]) -> None:
    first = First(project(vllm=service, other=gpu(image="whisper")))
    assert not first.seen.placed["vllm"].gpu


def test_the_model_of_a_command_is_no_module_of_python() -> None:
    module = ["python3", "-m", "vllm.entrypoints.openai.api_server", "--gpu-memory-utilization", "0.9"]
    first = only(image="x", command=module, environment={"MODEL": "a/Model-8B"})
    assert first.evidence("one").endswith("the weights are about 16 GB")
