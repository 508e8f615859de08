"""Slurm's configuration: as it is printed for the audio lab, and what a running Slurm says that differs from it."""

from pathlib import Path

import pytest

from spark_mode.cli.context import CliOptions
from spark_mode.cli.fleet_slurm import site_of
from spark_mode.errors import UsageFault
from spark_mode.fleet.slurm_config import Site, asked, differences, epilog, files, hosts_of, names_of_pools, partition_values
from spark_mode.lab.rules import GuardPolicy
from spark_mode.lab.size import GB
from spark_mode.planning.demand import Pool, demands
from tests.simulation.lab import PROJECT, RULES

NEEDS = demands(RULES, PROJECT, 128 * GB)
SITE = Site(nodes=("spark1", "spark2"), controller="spark1", cpus=20, lab="/srv/lab", program="/usr/bin/spark-mode")
HERE = Path(__file__).parent / "slurm"


@pytest.mark.parametrize("path", files(NEEDS, SITE))
def test_it_is_printed_as_it_was_looked_through(path: str) -> None:
    assert files(NEEDS, SITE)[path] == (HERE / Path(path).name).read_text(), f"look it through, and keep it as {HERE}"


def test_every_line_but_few_has_its_reason() -> None:
    lines = files(NEEDS, SITE)["/etc/slurm/slurm.conf"].splitlines()
    bare = [line for line, before in zip(lines[1:], lines, strict=False) if "=" in line and line[0] != "#" and before[:1] != "#"]
    assert [line.partition("=")[0] for line in bare] == [
        *("ClusterName", "StateSaveLocation", "SlurmdSpoolDir", "SelectTypeParameters", "JobRequeue")
    ]


def running(version: str) -> tuple[str, str, str]:
    """Return what a Slurm has said that had the configuration of the stand-in lab on one machine of two processors."""
    config, nodes, partitions = (
        (HERE / f"{name}-{'24.11' if name != 'config' else version}.txt").read_text() for name in ("config", "node", "partition")
    )
    return config, nodes, partitions


ONE = SITE.model_copy(update={"nodes": ("spark1",), "cpus": 2})
STANDING_IN = NEEDS.model_copy(
    update={
        "memory": 5841 << 20,
        "modes": tuple(one.model_copy(update={"grace_seconds": 60.0}) for one in NEEDS.modes),
    }
)


@pytest.mark.parametrize("version", ["23.11", "24.11"])
def test_a_slurm_that_is_as_it_was_printed_differs_in_nothing(version: str) -> None:
    assert differences(STANDING_IN, ONE, *running(version)) == []


def test_what_differs_is_named_with_both_values() -> None:
    config, nodes, partitions = running("24.11")
    config = config.replace("= 75 sec", "= 30 sec").replace("ReturnToService ", "X ")
    nodes = nodes.replace("class_audio:1", "class_audio:2")
    partitions = partitions.replace("PreemptMode=OFF", "PreemptMode=REQUEUE")
    two = ONE.model_copy(update={"nodes": ("spark1", "spark2")})
    assert differences(STANDING_IN, two, config, nodes, partitions) == [
        "slurm.conf: KillWait is 30, and would be 75",
        "slurm.conf: ReturnToService is not set, and would be 0",
        "node spark1: Gres is class_audio:2,class_training:1,training_without_audio:2,training_without_llm:2, and would be "
        "class_audio:1,class_training:1,training_without_audio:2,training_without_llm:2",
        "there is no node spark2",
        "partition training: PreemptMode is REQUEUE, and would be OFF",
    ]


def test_who_makes_way_is_said_by_the_rules() -> None:
    shipped = partition_values(NEEDS, SITE)
    assert [(one["PriorityTier"], one["PreemptMode"]) for one in shipped.values()] == [("1", "REQUEUE"), ("2", "OFF")]
    training = RULES.workloads["training"].model_copy(update={"priority": 10})
    workloads = {**RULES.workloads, "training": training}
    other = RULES.model_copy(update={"workloads": workloads, "guard": GuardPolicy(spares=())})
    turned = partition_values(demands(other, PROJECT, 128 * GB), SITE)
    assert {name: (one["PriorityTier"], one["PreemptMode"]) for name, one in turned.items()} == {
        "audio": ("2", "REQUEUE"),
        "training": ("1", "REQUEUE"),
    }


def test_sbatch_is_asked_for_the_share_of_each_pool() -> None:
    training = NEEDS.of("training")
    assert training
    gres = "class_training:1,training_without_audio:2,training_without_llm:2"
    assert asked(training, NEEDS) == ("--partition=training", f"--gres={gres}", "--mem=13352M")


def test_two_rules_whose_names_slurm_could_not_tell_apart_have_two_pools() -> None:
    pools = (Pool(name="a-b", count=1, because=""), Pool(name="a.b", count=1, because=""), Pool(name="…", count=1, because=""))
    assert names_of_pools(NEEDS.model_copy(update={"pools": pools})) == {"a-b": "a_b", "a.b": "a_b_1", "…": "pool"}


def test_a_path_with_a_space_stays_one_word_in_the_epilog() -> None:
    assert "-C '/srv/my lab' release" in epilog(SITE.model_copy(update={"lab": "/srv/my lab"}))


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", []),
        ("spark1", ["spark1"]),
        ("spark[1-3,7],other", ["spark1", "spark2", "spark3", "spark7", "other"]),
        ("a[09-11]-x,b", ["a09-x", "a10-x", "a11-x", "b"]),
        ("a[x-y],b", ["a[x-y]", "b"]),
        ("a[1-9999999999]", ["a[1-9999999999]"]),
        ("a[1-999999999]", ["a[1-999999999]"]),
    ],
)
def test_a_list_of_machines_is_read(text: str, hosts: list[str]) -> None:
    assert hosts_of(text) == hosts


@pytest.mark.parametrize("typed", [",", "a b", "-x", "a=b", "spark[1-3]", "é", "a,,b"])
def test_what_slurm_conf_could_not_have_as_a_name_is_refused(typed: str) -> None:
    for option in ("nodes", "controller"):
        with pytest.raises(UsageFault, match="is no name of a machine"):
            site_of(CliOptions(), {"nodes": "a", "lab": "/lab", option: typed})


def test_a_machine_is_named_once_and_a_folder_by_its_whole_path() -> None:
    site = site_of(CliOptions(), {"nodes": "b, a,b", "lab": "lab", "program": "bin/x"})
    assert site.nodes == ("b", "a")
    assert site.controller == "b"
    assert (site.lab, site.program) == (str(Path("lab").absolute()), str(Path("bin/x").absolute()))
