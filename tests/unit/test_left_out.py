"""What a rules file leaves out has the shipped file's value, or follows from what is there; what is said stays as it is."""

from fractions import Fraction
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.errors import ConfigurationError
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import assumed_of_project, with_project
from spark_mode.lab.rules_reading import read_rules, read_rules_and_assumed
from spark_mode.lab.rules_writing import as_document, as_text
from spark_mode.lab.service import Service
from spark_mode.lab.unsaid_long_run import unsaid_long_run
from spark_mode.planning.request import ModeRequest
from spark_mode.planning.resolve import resolve
from tests.audio_lab import ROOT
from tests.json_schema import accepts
from tests.unit.test_rules import SCHEMA

SHIPPED = read_rules((ROOT / "rules.yaml").read_text(), "rules.yaml", str)
GB = 10**9
SMALLEST: dict[str, Any] = {"workloads": {"a": {"class": "audio", "footprint": "1GB"}}}


def read(memory: int | None = None, scale: str | None = None, **sections: Any) -> Rules:
    """Read a small rules file with these sections, on a machine with so many bytes of memory."""
    text = yaml.safe_dump(SMALLEST | sections)
    if scale is None:
        return read_rules(text, "rules.yaml", str, lambda: memory)
    return read_rules(f"extends: other\nscale: {scale}", "rules.yaml", lambda _: text, lambda: memory)


def test_what_is_left_out_of_a_file_for_the_same_machine_is_as_in_the_shipped_one() -> None:
    rules = read(hardware={"capacity": "128GB"})
    assert (rules.limits, rules.overhead, rules.guard.patience) == (SHIPPED.limits, SHIPPED.overhead, SHIPPED.guard.patience)
    assert accepts(SCHEMA, SMALLEST)


@pytest.mark.parametrize("given", [{"capacity": "64GB"}, {"capacity": "64GB", "name": "half"}])
def test_limits_are_in_proportion_to_the_capacity_that_is_declared(given: dict[str, str]) -> None:
    limits = read(memory=999 * GB, hardware=given).limits
    half = [12.5, 40, 50, 10, 5]
    assert [size / GB for size in limits.model_dump(exclude={"release_seconds"}).values()] == half


def test_limits_follow_from_the_machine_where_no_capacity_is_declared() -> None:
    rules = read(memory=32 * GB)
    assert (rules.hardware.capacity, rules.limits.headroom, rules.limits.floor) == ("auto", 5 * GB, 2_500_000_000)


def test_limits_of_a_machine_that_does_not_tell_its_memory_are_those_of_the_shipped_file() -> None:
    assert read(memory=None).limits == SHIPPED.limits
    assert read(memory=None, scale="1/4").limits.headroom == 5 * GB


def test_a_scaled_file_has_the_limits_of_what_it_reckons_with() -> None:
    assert read(memory=32 * GB, scale="1/16").limits.headroom == 5 * GB
    assert read(hardware={"capacity": "128GB"}, scale="1/16").limits.headroom == 20 * GB / 16


SIZES = st.integers(1, 200).map(lambda size: f"{size}GB")


@given(st.dictionaries(st.sampled_from(["fits_easily", "fits", "tight", "headroom", "floor"]), SIZES), st.integers(1, 10**12))
def test_limits_that_are_said_stay_and_the_others_make_room_for_them(said: dict[str, str], memory: int) -> None:
    alone = {key: size for key, size in said.items() if key not in ("headroom", "floor")}
    rises = [int(size[:-2]) for key in ("fits_easily", "fits", "tight") if (size := alone.get(key))]
    if rises != sorted(rises) or ({"headroom", "floor"} <= said.keys() and int(said["floor"][:-2]) >= int(said["headroom"][:-2])):
        with pytest.raises(ConfigurationError):
            read(memory, limits=said)
        return
    try:
        limits = read(memory, limits=said).limits
    except ConfigurationError as error:
        assert memory < 64 and "floor" in error.message  # of a few bytes nothing is left to divide
    else:
        assert all(getattr(limits, key) == int(size[:-2]) * GB for key, size in said.items())


def test_a_class_that_is_used_is_one_and_what_is_said_of_a_class_stays() -> None:
    rules = read(classes={"training": {"runs_to_end": True}}, workloads={
        "a": {"class": "audio", "footprint": "1GB"}, "t": {"class": "training", "footprint": "1GB"},
    })  # fmt: skip
    assert {name: (one.description, one.runs_to_end) for name, one in rules.classes.items()} == {
        "training": ("training", True),
        "audio": ("audio", False),
    }


def test_a_class_that_is_almost_one_of_those_that_are_described_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match='workloads/a/class: unknown class "adio"; did you mean "audio"'):
        read(classes={"audio": {}}, workloads={"a": {"class": "adio", "footprint": "1GB"}})


def test_a_class_that_begins_as_another_one_is_no_mistake() -> None:
    rules = read(classes={"audio-live": {}})
    assert list(rules.classes) == ["audio-live", "audio"]


def test_a_workload_that_is_but_a_size_is_a_service_with_a_class_of_its_own() -> None:
    rules = read(workloads={"a": "1GB", "b": {"footprint": "2GB"}}, rules=[{"exclusive": ["a", "b"]}])
    assert [(one.class_, one.service, one.footprint.planned) for one in rules.workloads.values()] == [
        ("a", "a", GB),
        ("b", "b", 2 * GB),
    ]
    assert list(rules.classes) == ["a", "b"]
    assert read(scale="1/2", workloads={"a": "1GB"}).workloads["a"].footprint.planned == GB // 2
    assert accepts(SCHEMA, {"workloads": {"a": "1GB", "b": {"footprint": "2GB"}}})
    for wrong in ("1", 1, "a lot"):
        with pytest.raises(ConfigurationError, match="workloads/a/footprint: write a size with its unit"):
            read(workloads={"a": wrong})


def test_an_overhead_of_nothing_needs_no_unit_and_one_of_something_does() -> None:
    rules = read(overhead={"system": 0, "per_class": 0})
    assert (rules.overhead.system, rules.overhead.per_class) == (0, 0)
    assert accepts(SCHEMA, SMALLEST | {"overhead": {"system": 0}})
    for wrong in (1, False):
        with pytest.raises(ConfigurationError, match="overhead/system: write a size with its unit"):
            read(overhead={"system": wrong})


def test_a_workload_is_the_service_of_its_own_name_unless_it_says_what_it_is() -> None:
    rules = read(
        hosts={"h": {"service": "o"}},
        workloads={
            "a": {"class": "x", "footprint": "1GB"},
            "b": {"class": "x", "footprint": "1GB", "service": "other"},
            "m": {"class": "x", "footprint": "1GB", "model": "m", "host": "h"},
        },
    )
    assert {name: one.service for name, one in rules.workloads.items()} == {"a": "a", "b": "other", "m": None}
    outside = read(workloads={"a": {"class": "x", "footprint": "1GB", "outside": [{"name": "a"}]}}).workloads["a"]
    assert outside.service is None and outside.only_outside
    with pytest.raises(ConfigurationError, match="workloads/a: needs a service, a model with its host, command: true"):
        read(workloads={"a": {"class": "x", "footprint": "1GB", "outside": []}})


def test_a_rule_has_a_name_of_its_own_and_a_reason_made_from_it() -> None:
    rules = read(
        workloads={name: {"class": "x", "footprint": "1GB"} for name in "abc"},
        rules=[
            {"exclusive": ["a", "b"]},
            {"exclusive": ["a", "b"], "because": "I say so"},
            {"exclusive": ["a", "b", "c"]},
            {"at_most": 1, "of": ["a", "b", "c"]},
            {"careful": ["a", "x"], "name": "mine"},
            {"alternate": ["x"]},
        ],
    )
    assert [(rule.name, rule.because) for rule in rules.rules] == [
        ("exclusive-a-b", "a and b never run together"),
        ("exclusive-a-b-2", "I say so"),
        ("exclusive-a-b-c", "no two of a, b and c run together"),
        ("at-most-1-of-a-b-c", "at most 1 of a, b and c at a time"),
        ("mine", "a and x share the GPU"),
        ("alternate-x", "x take turns on the GPU"),
    ]


@pytest.mark.parametrize("members", [["a" * 60, "b" * 60], ["a"], [1, None], "a", {}])
def test_the_name_of_a_rule_is_one_whatever_its_members_are(members: object) -> None:
    with pytest.raises(ConfigurationError) as found:
        read(rules=[{"exclusive": members}])
    assert "/name" not in found.value.message
    assert "/because" not in found.value.message


def test_a_mode_that_names_nothing_is_the_profile_of_its_own_name() -> None:
    assert read(modes={"x": {"class": "audio"}}).modes["x"].profiles == ("x",)


def test_nothing_is_assumed_of_the_shipped_files() -> None:
    for file in ("rules.yaml", "compose/stand-in.rules.yaml"):
        text = (ROOT / file).read_text()
        assert read_rules_and_assumed(text, file, lambda other: (ROOT / "compose" / other).read_text(), lambda: 1)[1] == {}


PROJECT = Project(
    name="p",
    services={
        "a": Service(name="a", profiles=("x",)),
        "t": Service(name="t", profiles=("y", "both")),
        "page": Service(name="page", profiles=("x", "z")),
        "gpu": Service(name="gpu", reserves_gpu=True, profiles=("both",)),
        "o": Service(name="o"),
        "web": Service(name="web", profiles=("z",)),
    },
)
TWO = {"a": {"class": "audio", "footprint": "1GB"}, "t": {"class": "long", "footprint": "1GB"}}


def told(**sections: Any) -> Rules:
    """Read rules of the project above."""
    return with_project(read(**{"workloads": TWO, **sections}), PROJECT)


def test_a_mode_has_the_class_of_what_it_runs() -> None:
    modes = told(
        modes={"m": {"profiles": ["x"]}, "n": {"profiles": ["y"]}, "s": {"services": ["t"]}, "x": {"class": "long"}}
    ).modes
    assert {name: mode.class_ for name, mode in modes.items()} == {"m": "audio", "n": "long", "s": "long", "x": "long"}


def test_a_mode_whose_services_have_no_class_has_that_of_the_models_that_they_serve() -> None:
    models = TWO | {"m": {"class": "llm", "footprint": "1GB", "model": "m", "host": "h"}}
    needs = {"hosts": {"h": {"service": "o"}}, "profiles": {"z": {"models": ["m"]}}}
    assert told(workloads=models, modes={"z": {}}, **needs).modes["z"].class_ == "llm"
    chat = {"chat": {"services": ["web", "o"]}}
    assert told(workloads=models, modes=chat, hosts=needs["hosts"]).modes["chat"].class_ == "llm"


@pytest.mark.parametrize(
    ("profiles", "run", "line"),
    [
        (["x", "y"], "audio and long", "m: {class: audio or long, profiles: [x, y]}"),
        (["z"], "nothing with a class", "m: {class: CLASS, profiles: [z]}"),
    ],
)
def test_a_mode_whose_class_nothing_tells_cannot_be_used_and_the_others_can(profiles: list[str], run: str, line: str) -> None:
    rules = told(modes={"m": {"profiles": profiles}, "n": {"profiles": ["y"]}})
    assert resolve(ModeRequest(mode="n"), PROJECT, rules).named == ("t",)
    with pytest.raises(ConfigurationError) as found:
        resolve(ModeRequest(mode="m", profile=profiles[0]), PROJECT, rules)
    assert found.value.message == f"the mode m has no class in rules.yaml, and what it runs is {run}"
    assert found.value.hint == f"give it one: {line}"


def test_a_mode_whose_class_nothing_tells_has_none_in_what_is_written_and_assumed() -> None:
    rules = told(modes={"m": {"profiles": ["z"]}})
    assert as_document(rules)["modes"] == {"m": {"profiles": ["z"], "services": [], "models": []}}
    assert "modes" not in assumed_of_project(rules, rules, PROJECT)
    assert read_rules(as_text(rules), "rules.yaml", str).modes["m"].class_ == ""


def test_a_mode_whose_profile_is_not_there_is_left_to_check() -> None:
    assert told(modes={"m": {"profiles": ["gone"]}}).modes["m"].class_ == ""


def test_what_nobody_describes_counts_little_only_where_it_asks_for_no_gpu() -> None:
    rules = told()
    counted = {name: one.planned for name in (*PROJECT.services, "orphan") if (one := rules.footprint_of_undescribed(name))}
    assert counted == dict.fromkeys(("page", "o", "web"), GB)
    assert told(default_footprint="2GB").without_gpu == frozenset()


def test_only_a_class_called_training_that_says_nothing_is_told_of() -> None:
    def unsaid(said: dict[str, Any], **more: Any) -> bool:
        return unsaid_long_run(
            read(classes={"training": said}, workloads={"t": {"class": "training", "footprint": "1GB", **more}})
        )

    assert unsaid({})
    assert not unsaid({"runs_to_end": True})
    assert not unsaid({}, runs_to_end=False)
    assert not unsaid({}, command=True), "a plain command is never stopped"
    assert not unsaid({}, outside=[{"name": "trainer"}]), "nor is what is only known outside"
    assert not unsaid_long_run(read())
    assert not unsaid_long_run(SHIPPED)


def test_the_words_of_what_is_assumed_name_each_section() -> None:
    text = yaml.safe_dump(SMALLEST | {"overhead": {"burst": {"cuda_context": {"low": "0GB", "high": "1GB"}}}})
    assumed = read_rules_and_assumed(text, "rules.yaml", str, lambda: None)[1]
    assert assumed == {
        "hardware": "name this machine, capacity auto",
        "limits": "fits_easily 25GB, fits 80GB, tight 100GB, headroom 20GB, floor 10GB, release_seconds 120",
        "overhead": "system 2GB, per_class 2GB, burst with kv_cache {low: 1GB, high: 8GB}",
        "classes": "audio",
        "workloads": "the service of its own name: a",
    }


@given(st.integers(1, 10**13))
def test_any_capacity_gives_limits(memory: int) -> None:
    limits = read(memory=memory * 128).limits
    assert Fraction(limits.tight, memory * 128) <= Fraction(100, 128)
