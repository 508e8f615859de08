"""What each key of rules.yaml is for, in a sentence with an example: for editors, by the schema, and for docs/rules.md.

The models say which keys there are, of which type, and what holds without them; a test holds the two together.
"""

from typing import NamedTuple


class Key(NamedTuple):
    """What a key is for, and an entry that has it, as YAML. `default` is said in words where the model does not tell it."""

    says: str
    example: str
    default: str = ""


FROM_SERVICE = "the service of its own name, where it says nothing else that it is"
KEYS = {
    "Rules": {
        "extends": Key("The path of another rules file, whose keys hold where this file has none.", "extends: ../rules.yaml"),
        "scale": Key("What every size is multiplied by; only beside `extends`.", 'extends: ../rules.yaml\nscale: "1/16"'),
        "scope": Key(
            "Where the rules hold: on the whole `machine`, or in this `project` alone, for a lab that counts nothing else "
            "and that nobody else counts.",
            "scope: project",
        ),
        "projects": Key(
            "The Compose projects that the lab is made of, as folders or files; without it, the one beside this file.",
            "projects: [., ../comfy]",
        ),
        "hardware": Key("The machine.", "hardware: {capacity: 128GB}", "this machine"),
        "limits": Key("What the totals of memory are held against.", "limits: {headroom: 20GB}", "in proportion to the capacity"),
        "overhead": Key("What comes on top of the workloads.", "overhead: {system: 2GB}", "as below"),
        "classes": Key(
            "The kinds of workloads, by name. A class that a workload names need not stand here.",
            "classes: {tuning: {runs_to_end: true}}",
            "those that workloads name",
        ),
        "workloads": Key(
            "What has a footprint, by the name that you type; a bare size, such as `web: 2GB`, is its footprint. The one section "
            "that a file must have, unless it extends another.",
            "workloads: {omni: {class: audio, footprint: 8GB}}",
        ),
        "profiles": Key("The models that a Compose profile needs, by profile.", 'profiles: {f5: {models: ["llama3.1:8b"]}}'),
        "hosts": Key("What serves models, by name.", "hosts: {ollama: {service: ollama}}"),
        "rules": Key("What may not, or only with care, run together.", "rules: [{exclusive: [training, audio]}]"),
        "modes": Key("The sides of the switch, each a command by its name.", "modes: {training: {}}"),
        "sets": Key("Sets that `spark-mode matrix` shows.", "sets: [{name: A, wish: both sides, workloads: [training, omni]}]"),
        "default_footprint": Key(
            "What a service counts that no workload describes and that asks for no GPU.",
            "default_footprint: 1GB",
            "1GB",
        ),
        "guard": Key("What the guard does when others start what a rule keeps apart.", "guard: {on_violation: warn}", "as below"),
    },
    "ProjectFiles": {
        "files": Key("The Compose files of the project, relative to this file.", "files: [../vllm/compose.yaml]"),
        "name": Key("The project's name, as with `docker compose -p`.", "files: [../vllm/compose.yaml]\nname: llm"),
        "env_files": Key(
            "Files of variables, as with `docker compose --env-file`.",
            "files: [../vllm/compose.yaml]\nenv_files: [gpu.env]",
        ),
    },
    "Hardware": {
        "name": Key("What the machine is called on screens.", "name: NVIDIA DGX Spark (GB10)", "this machine"),
        "capacity": Key(
            "The memory that budgets reckon with; `auto` takes what the kernel reports as MemTotal.", "capacity: 128GB", "auto"
        ),
        "facts": Key("What people want to read on the map; nothing is decided by it.", "facts: {memory bandwidth: 273 GB/s}"),
    },
    "Limits": {
        "fits_easily": Key("Totals up to here are `fits-easily`.", "fits_easily: 25GB"),
        "fits": Key("Totals up to here are `fits`.", "fits: 80GB"),
        "tight": Key("Totals up to here are `tight`; above it `oom-risk`, refused without `--force`.", "tight: 100GB"),
        "headroom": Key("What stays free of the capacity, and of the available memory before the first start.", "headroom: 20GB"),
        "floor": Key("Less available memory than this, while something starts, ends the start.", "floor: 10GB"),
        "release_seconds": Key(
            "How long freed memory may take to come back; then nothing is started.",
            "release_seconds: 60",
            "120",
        ),
    },
    "Overhead": {
        "system": Key("What Linux and Docker take, once; a plain `0` for nothing.", "system: 2GB"),
        "per_class": Key("What each class in a set adds.", "per_class: 2GB"),
        "burst": Key(
            "What may come on top for moments; shown, never counted.", "burst: {kv_cache: {high: 6GB, low: 1GB}}", "as below"
        ),
    },
    "Burst": {
        "cuda_context": Key("For each process that uses the GPU.", "cuda_context: {low: 0.5GB, high: 1GB}", "from 0.5GB to 1GB"),
        "kv_cache": Key("For each workload of a class with `kv_cache`.", "kv_cache: {low: 1GB, high: 8GB}", "from 1GB to 8GB"),
    },
    "Range": {
        "low": Key("The least.", "low: 1GB\nhigh: 8GB"),
        "high": Key("The most.", "low: 1GB\nhigh: 8GB"),
    },
    "WorkloadClass": {
        "description": Key("What it is, for people.", "description: speech in and out", "its name"),
        "kv_cache": Key("Whether its workloads grow a cache of keys and values; it adds to the burst.", "kv_cache: true"),
        "runs_to_end": Key(
            "Whether its workloads are long runs: asked about before a stop, never stopped for memory, done at exit 0.",
            "runs_to_end: true",
        ),
    },
    "Workload": {
        "class": Key("Its kind: rules and modes speak of classes.", "class: audio", "a class of its own name"),
        "footprint": Key("The memory that it holds.", "footprint: 8GB"),
        "service": Key("The Compose service that it is.", "service: omni-server", FROM_SERVICE),
        "model": Key("The model that it is, as its host names it; with `host`.", 'model: "llama3.1:8b"\nhost: ollama'),
        "host": Key("The host that serves it, of those under `hosts`; with `model`.", 'model: "llama3.1:8b"\nhost: ollama'),
        "variants": Key(
            "Other sizes in which it can run, asked for as `training:large`; with `default_variant`.",
            "variants: {mid: {footprint: 8GB}, large: {footprint: 15GB, environment: {BATCH: large}}}\ndefault_variant: mid",
        ),
        "default_variant": Key(
            "The variant that the Compose file says, with the workload's own footprint.",
            "variants: {mid: {footprint: 8GB}}\ndefault_variant: mid",
        ),
        "runs_to_end": Key("Whether it is a long run, where its class does not say it.", "runs_to_end: true", "as its class"),
        "priority": Key(
            "What to give up first when something else does not fit: the set with the lowest sum goes.", "priority: 50"
        ),
        "load_seconds": Key(
            "About how long it takes to be back; between equal priorities the quickest goes.",
            "load_seconds: 300",
        ),
        "aliases": Key("Other names for it on the command line.", "aliases: [qwen2.5-omni]"),
        "command": Key("That it is no service, and is started by `spark-mode run --as NAME -- COMMAND` alone.", "command: true"),
        "outside": Key(
            "How to know a container of it that somebody starts outside the lab; it counts, and you stop it yourself.",
            "outside: [{name: ssd-training}]",
        ),
    },
    "Footprint": {
        "planned": Key("What counts in a budget. A bare size, such as `8GB`, is this.", "planned: 8GB"),
        "low": Key("The least that was seen.", "planned: 8GB\nlow: 7GB", "as planned"),
        "high": Key("The most that was seen.", "planned: 8GB\nhigh: 20GB", "as planned"),
    },
    "Variant": {
        "footprint": Key("What it holds in this size.", "footprint: 15GB"),
        "environment": Key("What its service gets in its environment for it.", "footprint: 15GB\nenvironment: {BATCH: large}"),
    },
    "ForeignPattern": {
        "label": Key("A label that the container has.", "label: org.example.training"),
        "name": Key("The container's name.", "name: ssd-training"),
        "image": Key("The container's image.", "image: ssd-tetris"),
    },
    "ProfileNeeds": {"models": Key("Workloads that are models; they are budgeted with the profile.", 'models: ["llama3.1:8b"]')},
    "Host": {
        "service": Key("The Compose service that it is.", "service: ollama"),
        "unit": Key(
            "The unit of systemd that it is; stopped and started as a service is. With `address`.",
            'unit: ollama.service\naddress: "http://127.0.0.1:11434"',
        ),
        "address": Key(
            "Where a host outside Compose answers. Without a unit its models are unloaded, and it is never stopped.",
            'address: "http://127.0.0.1:11434"',
        ),
        "port": Key("Where its API listens inside the service's container.", "service: ollama\nport: 8080"),
    },
    "Exclusive": {
        "exclusive": Key("Classes or workloads of which no two are ever active together.", "exclusive: [training, audio]"),
    },
    "AtMost": {
        "at_most": Key("How many of these may be active together.", "at_most: 1\nof: [omni, f5]"),
        "of": Key("Workloads, or classes, each of whose workloads counts.", "at_most: 1\nof: [omni, f5]"),
    },
    "Careful": {
        "careful": Key("Classes or workloads that may run together, with care: compute is `careful`.", "careful: [audio, llm]"),
    },
    "Alternate": {
        "alternate": Key(
            "Classes or workloads that may be loaded together and take turns: `one-at-a-time`.",
            "alternate: [llm]",
        ),
    },
    "Mode": {
        "class": Key(
            "What it runs exactly: the rest of the class is stopped.",
            "class: audio\nprofiles: [omni]",
            "that of what it runs",
        ),
        "profiles": Key(
            "The Compose profiles to choose from; with one, nothing need be typed. Either these or `services`.",
            "class: audio\nprofiles: [omni, f5]",
            "the profile of its own name",
        ),
        "services": Key("The services that it is, which also need no profile.", "class: audio\nservices: [omni]"),
        "models": Key(
            "Models that these services need, budgeted with the mode.", 'class: audio\nservices: [omni]\nmodels: ["llama3.1:8b"]'
        ),
    },
    "NamedSet": {
        "name": Key("Its name in the matrix.", "name: A\nwish: speech alone\nworkloads: [omni]"),
        "wish": Key("What somebody wants with it.", "name: A\nwish: speech alone\nworkloads: [omni]"),
        "workloads": Key("Its workloads.", "name: A\nwish: speech alone\nworkloads: [omni]"),
    },
    "GuardPolicy": {
        "on_violation": Key(
            "Who goes: the `newcomer`, what has the `lower-priority`, or nobody (`warn`).", "on_violation: lower-priority"
        ),
        "spares": Key(
            "Classes and workloads that are stopped only for another one of these.", "spares: [training]", "the long runs"
        ),
        "patience": Key(
            "How often within ten minutes the guard stops what somebody starts again and again; then it is left, loudly.",
            "patience: 3",
        ),
    },
}
"""By model of `rules.py` and key of the file."""
OF_EVERY_RULE = {
    "name": Key("What the rule is called in reasons and in JSON.", "name: one-speech-model", "made from its members"),
    "because": Key("Why; people read it in every plan and refusal.", "because: training runs alone", "what it forbids"),
    "advice": Key("What to do about it, shown with a budget.", "advice: load both, run one at a time"),
}
"""The keys that each kind of rule has."""


def described(model: str) -> dict[str, Key]:
    """Return what is said of the keys of a model, by key."""
    return {**KEYS.get(model, {}), **(OF_EVERY_RULE if model in ("Exclusive", "AtMost", "Careful", "Alternate") else {})}
