"""What is known of engines, flags, images and names of models: data alone, each row with what it rests on."""

import re
from enum import Enum
from typing import NamedTuple

from spark_mode.lab.size import GB

LLM, AUDIO, IMAGE, VISION, TRAINING, SUPPORT, OTHER = "llm", "audio", "image", "vision", "training", "support", "other"

NEVER = r"(?!)"
"""A pattern that is nowhere."""


class Takes(Enum):
    """How an engine decides how much memory it takes."""

    SHARE = "a share of all memory, by its flag"
    FRACTION = "a share of all memory, and work space beside it"
    REST = "a share of what is free, whatever that is"
    WEIGHTS = "what its model weighs"
    MODELS = "what the models take that it has loaded"


class Engine(NamedTuple):
    """A server of models. The patterns are searched in a command, in an image without its tag, and in names of settings."""

    name: str
    class_: str
    takes: Takes
    command: str
    image: str
    setting: str
    source: str


ENGINES = (
    Engine(
        "SGLang",
        LLM,
        Takes.FRACTION,
        r"\bsglang\.launch_server\b|(^|[\s/])sglang serve\b",
        r"sglang",
        r"^SGLANG_",
        "docs.sglang.io, server arguments",
    ),
    Engine(
        "TensorRT-LLM",
        LLM,
        Takes.REST,
        r"\btrtllm-(serve|llmapi)|\btensorrt_llm\.\w",
        r"tensorrt-?llm|trt-?llm",
        r"^TRTLLM_",
        "nvidia.github.io/TensorRT-LLM, kvcacheconfig: 0.9 of what is free",
    ),
    Engine("NIM", LLM, Takes.REST, NEVER, r"nvcr\.io/nim/", r"^NIM_", "docs.nvidia.com/nim: NIM_KVCACHE_PERCENT of what is free"),
    Engine(
        "vLLM",
        LLM,
        Takes.SHARE,
        r"(^|[\s/])vllm serve\b|\bvllm\.entrypoints\b",
        r"vllm",
        r"^VLLM_",
        "docs.vllm.ai, engine arguments",
    ),
    Engine(
        "llama.cpp",
        LLM,
        Takes.WEIGHTS,
        r"(^|[\s/])llama-server\b|\bllama_cpp\.server\b",
        r"llama[._-]?cpp|llama-server",
        r"^LLAMA_ARG_",
        "ggml-org/llama.cpp, tools/server/README.md",
    ),
    Engine(
        "TGI",
        LLM,
        Takes.REST,
        r"\btext-generation-launcher\b",
        r"text-generation-inference",
        NEVER,
        "huggingface/text-generation-inference, launcher: cuda_memory_fraction, 1 of what is free",
    ),
    Engine(
        "LMDeploy",
        LLM,
        Takes.REST,
        r"\blmdeploy serve\b",
        r"lmdeploy",
        NEVER,
        "lmdeploy.readthedocs.io: cache_max_entry_count, 0.8 of what is free",
    ),
    Engine(
        "Ollama",
        LLM,
        Takes.MODELS,
        r"(^|[\s/])ollama serve\b",
        r"(^|/)ollama[\w.-]*$",
        NEVER,
        "docs.ollama.com, its image on Docker Hub",
    ),
)
"""In the order in which they are looked for: what is special goes first. Of a service that no row fits nothing is known."""

IN_FRONT = r"router|gateway|proxy|exporter|dashboard|web-?ui|client"
"""Images with an engine in their name that are none, unless they reserve a GPU."""

UTILISATION = ("gpu-memory-utilization", "VLLM_GPU_MEMORY_UTILIZATION")
UTILISATION_GB = "gpu-memory-utilization-gb"
"""Of eugr/spark-vllm-docker's mod: so many GB."""
KV_BYTES = "kv-cache-memory-bytes"
MEM_FRACTION = "mem-fraction-static"
OWN_STAGES = ("omni", "deploy-config", "stage-configs-path")
"""Flags with which vLLM-Omni has a share for each stage, in a file of its own; the one of the command decides nothing."""
VLLM_DEFAULT = 0.92
"""vLLM's own where no flag is given, since 0.20; 0.9 before (vllm/config/cache.py)."""
VLLM_HIGH = 1.15
"""vLLM's share is no limit for its process: on a GB10 up to so much more was seen (vllm-project/vllm#46307)."""
BESIDE_KV, BESIDE_FRACTION = 4 * GB, 6 * GB
"""What vLLM takes beside weights and cache; graphs and work space of SGLang, which lie outside of its fraction."""

MODEL_FLAGS = ("model", "model-path", "model-id")
FILE_FLAGS = ("m", "hf-repo", "hf", "hfr")
"""Of llama.cpp alone: `-m` is Python's own for a module."""
MODEL_SETTING = r"(^|_)MODEL(_NAME|_ID|_PATH|_REPO)?$"
UNSAID = r"TOKEN|KEY|SECRET|PASSWORD|URL|HOST"
"""Names of settings that are never looked at, whatever else is in them."""

CLASSES = (
    (AUDIO, r"whisper|speaches|parakeet|\basr\b|\bstt\b", "speech to text"),
    (AUDIO, r"[a-z0-9]?tts\b|\bf5\b|chatterbox|kokoro|\bpiper|orpheus|\bbark\b|coqui|\briva\b", "text to speech"),
    (AUDIO, r"\bomni\b|voxtral|moshi", "speech in and out"),
    (IMAGE, r"comfy|stable-?diffusion|\bsd(xl|\b)|a1111|automatic1111|\bflux\b", "pictures"),
    (IMAGE, r"invoke-?ai|fooocus|\bforge\b|diffus|image-gen|\bwan2?\b", "pictures, and films"),
    (VISION, r"\byolo|ultralytics|frigate|florence|\bsam2?\b|deepstream|\bocr\b|vision", "what is seen"),
    (AUDIO, r"\bvoice|speech|audio|music", "sound, by words that may stand for more than the program: they come after those"),
    (LLM, r"\bllms?\b|llama|gpt|qwen|mistral|gemma|deepseek|nemotron|embed|rerank|text-embeddings", "language"),
)
"""Classes by a word in the name, the image or the model of a service with a GPU; the first that fits."""

TRAINING_TOOLS = r"axolotl|unsloth|llama-?factory|kohya|ai-toolkit|\btorchrun\b|\baccelerate launch\b|\bdeepspeed\b"
"""Programs that do nothing else, on a GPU."""
TRAINING_WORDS = r"(^|[^a-z])(train|finetun|fine-?tun)|\blora\b"
"""What says so of a service with a GPU."""

MORE_THAN_WEIGHTS = frozenset({TRAINING, IMAGE})
"""Classes whose size no weights tell: optimisers and gradients, and what a workflow loads, take several times as much."""

OTHER_HARDWARE = frozenset({"cpu", "amd", "rocm", "workstation", "jetson", "intel", "xpu", "mac", "mps"})
"""Words of a profile that is the same for another machine than a Spark."""


class Known(NamedTuple):
    """What a model or an image takes, in GB, by docs/lab-sources.md; `pattern` is searched in its name."""

    pattern: str
    planned: float
    low: float
    high: float


KNOWN_MODELS = (Known(r"qwen2\.5-omni-3b", 8, 7, 20),)
"""Models whose name would tell too little: the weights of all stages are more than 3B."""
KNOWN_IMAGES = (
    Known(r"whisper|speaches", 3, 3, 5),
    Known(r"\bf5-?tts", 3, 2, 3),
    Known(r"qwen3-?tts", 4, 3, 5),
    Known(r"chatterbox", 4, 4, 4),
    Known(r"xtts|coqui", 2, 2, 7),
)

BITS = (
    (r"q8_0", 8.5, "llama.cpp, tools/quantize/README.md"),
    (r"q6_k", 6.56, "the same"),
    (r"q5_(k_[ms]|[01])", 5.7, "the same"),
    (r"q4_(k_[ms]|[01])", 4.85, "the same; Q4_K_M, the most of them"),
    (r"q3_k", 4.0, "the same"),
    (r"q2_k", 3.2, "the same"),
    (r"mxfp4", 4.25, "OCP Microscaling 1.0: 32 numbers share 8 bits"),
    (
        r"nvfp4|awq(?!-?(8|int8))|gptq(?!-?(8|int8))|int4|autoround|4-?bit|w4a16|(?<![a-z])fp4",
        4.5,
        "16 to 128 numbers share a scale",
    ),
    (r"fp8|int8|w8a8|8-?bit", 8, "their name"),
    (r"gpt-oss", 4.25, "openai/gpt-oss on Hugging Face: published in MXFP4"),
    (r"-gguf$", 4.85, "llama.cpp, tools/server/README.md: -hf takes Q4_K_M where none is named"),
)
"""Bits for each parameter by a word in the name of a model, the first that fits; else 16."""
PLAIN_BITS = 16
OLLAMA_BITS = 4.85
"""Q4_K_M, what Ollama takes without a precision in the tag (docs.ollama.com, import)."""

OLLAMA_LATEST = {
    **{"llama2": 7, "llama3": 8, "llama3.1": 8, "llama3.2": 3.2, "llama3.3": 70, "llama3.2-vision": 11, "codellama": 7},
    **{"mistral": 7.2, "gemma2": 9, "gemma3": 4, "phi3": 3.8, "phi4": 14, "phi4-mini": 3.8, "deepseek-r1": 8, "qwq": 32},
    **{"llava": 7, "moondream": 1.8, "qwen2.5": 7, "qwen2.5-coder": 7, "qwen3": 8, "gpt-oss": 20},
    **{"nomic-embed-text": 0.14, "mxbai-embed-large": 0.33},
}
"""Billions of parameters of what Ollama serves under a name without a size (ollama.com/library, and its README)."""


def found(pattern: str, text: str) -> bool:
    """Whether a pattern is somewhere in a text, in whatever case."""
    return re.search(pattern, text, re.IGNORECASE) is not None
