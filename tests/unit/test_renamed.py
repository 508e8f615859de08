"""No name decides anything: a lab whose every class, mode, rule, profile, service and workload is renamed plans alike."""

import json
import os
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plan_case import SHIPPED, SHIPPED_RULES
from tests.random_labs import RandomLab, random_labs

LABS = int(os.environ.get("SPARK_MODE_LABS", "25"))
KNOWN = ("audio", "training", "llm", "omni", "ollama")
"""Names that mean much in the shipped lab: here they are those of any classes and modes."""
MEANT = """active base chat class default exclusive f5 gpu healthy host image llama memory mode model models none nothing page
profile profiles qwen requested rule service sides speech trainer tts tune vllm voice whisper with workloads"""
WORDS = tuple(MEANT.split())
"""What somebody may call anything, among it words that plans and rules have a meaning for."""
NAMES = (*WORDS, *(f"{word}-2" for word in WORDS))
TOKEN = re.compile(r"zz\d{3}")
"""A name that no sentence has, so that it is found again in what a plan says."""
ASKED = (
    *("audio omni", "audio f5", "audio chatterbox --with devstral", "training", "training:large", "training --with omni"),
    *("up whisper", "up xtts", "up ollama", "up devstral whisper", "up omni --with llama3.1:70b --force", "stop", "stop whisper"),
)
SERVICES = sorted(SHIPPED["services"])
MODELS = [name for name, one in SHIPPED_RULES["workloads"].items() if "model" in one]


def names_of(lab: RandomLab) -> list[str]:
    """Return every name of a lab once: its services as Compose sorts them, then the others in their order."""
    others = [name for section in ("classes", "modes", "hosts", "workloads") for name in lab.rules[section]]
    profiles = [profile for service in lab.services.values() for profile in service.get("profiles", [])]
    return list(dict.fromkeys([*sorted(lab.services), *others, *profiles, *(rule["name"] for rule in lab.rules["rules"])]))


def renamed(lab: RandomLab, names: Mapping[str, str]) -> RandomLab:
    """Return the lab with these names in place of its own."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): other(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(other, value))
        return names.get(value, value) if isinstance(value, str) else value

    words = [word if word in names else word.partition(":")[0] for word in lab.ask.split()]
    ask = " ".join(full.replace(word, names.get(word, word)) for full, word in zip(lab.ask.split(), words, strict=True))
    return RandomLab(*map(other, lab))._replace(ask=ask)


def said(lab: RandomLab) -> str:
    """Return all that the planner says to what is asked of a lab."""
    return json.dumps(lab.plan().as_json(), indent=1)


def require_alike(lab: RandomLab, random: Random) -> None:
    """Plan a lab under names of no meaning, and under names that have one elsewhere: only the names differ."""
    own = names_of(lab)
    services = sum(name in lab.services for name in own)
    known, words = random.sample(KNOWN, len(KNOWN)), random.sample(NAMES, len(own))
    meant = [*sorted(words[:services]), *[*known, *words[services:]][: len(own) - services]]  # Compose sorts services by name
    tokens = [f"zz{at:03}" for at in range(len(own))]
    back = dict(zip(tokens, meant, strict=True))
    plain = said(renamed(lab, dict(zip(own, tokens, strict=True))))
    assert TOKEN.sub(lambda found: back[found[0]], plain) == said(renamed(lab, dict(zip(own, meant, strict=True))))


@st.composite
def shipped_labs(draw: st.DrawFn) -> RandomLab:
    """Draw what runs of the shipped lab, and what is asked of it."""
    there = tuple(sorted(draw(st.sets(st.sampled_from(SERVICES)))))
    models = tuple(draw(st.lists(st.sampled_from(MODELS), unique=True))) if "ollama" in there else ()
    return RandomLab(
        rules=SHIPPED_RULES,
        services=SHIPPED["services"],
        running=there,
        admitted=models,
        loaded=models,
        silent=(),
        foreign=(),
        held=tuple(draw(st.sets(st.sampled_from(there), max_size=1))) if there else (),
        free=draw(st.integers(0, 128)),
        ask=draw(st.sampled_from(ASKED)),
    )


@settings(max_examples=LABS, deadline=None)
@given(random_labs(), st.randoms())
def test_a_random_lab_plans_alike_under_other_names(lab: RandomLab, random: Random) -> None:
    require_alike(lab, random)


@settings(max_examples=LABS, deadline=None)
@given(shipped_labs(), st.randoms())
def test_the_shipped_lab_plans_alike_under_other_names(lab: RandomLab, random: Random) -> None:
    require_alike(lab, random)
