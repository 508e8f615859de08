"""Which machines are meant by -H, and what a fleet.yaml may say."""

import subprocess
import sys
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.fleet.nodes import Fleet, chosen, fleet_file, known_fleet, read_fleet

TEXT = """
nodes:
  spark1:
  spark2: {ssh: ann@10.0.0.2}
  spark3: {command: ~/.local/bin/spark-mode}
  desk:
groups:
  models: [spark1, spark2]
"""


def fleet(folder: Path, text: str = TEXT) -> Fleet:
    path = folder / "fleet.yaml"
    path.write_text(text)
    return read_fleet(path)


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        ("spark1", "spark1"),
        ("spark2,spark1", "spark1 spark2"),
        (" spark2 , spark1 ", "spark1 spark2"),
        ("spark1,spark1", "spark1"),
        ("models", "spark1 spark2"),
        ("models,desk", "desk spark1 spark2"),
        ("all", "desk spark1 spark2 spark3"),
        ("all,!spark2", "desk spark1 spark3"),
        ("!spark2,all", "desk spark1 spark3"),
        ("all,!models", "desk spark3"),
        ("spark*", "spark1 spark2 spark3"),
        ("spark[12]", "spark1 spark2"),
        ("spark*,!spark?", None),
        ("elsewhere", "elsewhere"),
        ("ann@elsewhere,spark1", "ann@elsewhere spark1"),
        ("nobody*", None),
        ("-oProxyCommand=x", None),
        ("ann@-x", None),
        ("spark1;reboot", None),
        ("", None),
        (",", None),
        ("a" * 256, None),
    ],
)
def test_patterns_choose_machines_in_the_order_of_their_names(tmp_path: Path, patterns: str, meant: str | None) -> None:
    known = fleet(tmp_path)
    if meant is None:
        with pytest.raises(UsageFault):
            chosen(patterns, known)
    else:
        assert [one.name for one in chosen(patterns, known)] == meant.split()


def test_a_node_has_what_ssh_is_given_and_the_program_there(tmp_path: Path) -> None:
    one, two, three = chosen("spark*", fleet(tmp_path))
    assert (one.address, two.address, three.command) == ("spark1", "ann@10.0.0.2", "~/.local/bin/spark-mode")


def test_one_machine_under_two_names_is_refused_because_it_would_wait_for_itself(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="are one machine"):
        chosen("ann@10.0.0.2,spark2", fleet(tmp_path))


def test_without_a_file_names_go_to_ssh_as_they_are_and_all_is_a_mistake(tmp_path: Path) -> None:
    nothing = read_fleet(tmp_path / "absent.yaml")
    assert [one.address for one in chosen("b,a", nothing)] == ["a", "b"]
    with pytest.raises(UsageFault, match=r"there is no fleet\.yaml") as wrong:
        chosen("all", nothing)
    assert "spark-mode fleet init" in str(wrong.value.hint)
    with pytest.raises(UsageFault, match=r"no node of fleet\.yaml") as wrong:
        chosen("nobody*", fleet(tmp_path))
    assert "spark-mode fleet show" in str(wrong.value.hint)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes: {a: {user: ann}}", "nodes/a/user: unknown key"),
        ("nodes: {'-oX': }", "nodes/-oX"),
        ("nodes: {a: {ssh: '-oX'}}", "nodes/a/ssh"),
        ("nodes: {a: {ssh: 'ann@-oX'}}", "nodes/a/ssh"),
        ("nodes: {all: }", 'nodes/all: "all" means every node'),
        ("nodes: {a: {command: 'x; reboot'}}", "nodes/a/command: write the path of a program"),
        ("nodes: {a: {command: '-x'}}", "nodes/a/command: write the path of a program"),
        ("nodes: {a: }\ngroups: {g: [b]}", 'groups/g: no node "b"'),
        ("nodes: {spark: }\ngroups: {g: [sprak]}", 'did you mean "spark"?'),
        ("nodes: {a: }\ngroups: {all: [a]}", '"all" means every node already'),
        ("nodes: {a: }\ngroups: {a: [a]}", "groups/a: is a node, too"),
        ("hosts: {a: }", "hosts: unknown key"),
        ("- a", "the file: write keys"),
        ("nodes: &x {a: }", "anchors"),
        ("nodes: [a]", "nodes: write keys"),
        ("nodes: {a: [b]}", "nodes/a: write keys"),
        ("nodes: {a: {ssh: 5}}", "nodes/a/ssh: write text"),
        (f"nodes: {{a: {{ssh: {'b' * 256}}}}}", "nodes/a/ssh: write at most 255 characters"),
        ("nodes: {a: }\ngroups: [g]", "groups: write keys"),
        ("nodes: {a: }\ngroups: {g: a}", "groups/g: write a list"),
        ("nodes: {a: }\ngroups: {g: [5]}", "groups/g/0: write text"),
        ("nodes: {a: }\ngroups: {'-g': [a]}", "groups/-g: write a name"),
        ("nodes: {a: }\nnodes: {b: }", "there twice"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        fleet(tmp_path, text)
    assert said in wrong.value.message
    assert "fleet.yaml" in wrong.value.message


def test_what_has_no_value_is_left_out(tmp_path: Path) -> None:
    (one,) = chosen("all", fleet(tmp_path, "nodes: {a: {ssh: , command: }}"))
    assert (one.address, one.command) == ("a", "spark-mode")


def test_whoever_asks_machines_builds_no_model_and_reads_no_yaml_before_the_first_is_asked() -> None:
    """Each costs a tenth of a second, for which no ssh has begun yet."""
    asks = "import sys; import spark_mode.cli.main; import spark_mode.cli.on_nodes; print({'pydantic', 'yaml'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", asks], check=True, capture_output=True, text=True).stdout == "set()\n"


def test_a_file_that_is_no_text_or_no_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="it is not text"):
        read_fleet(tmp_path / "fleet.yaml")


def test_what_a_variable_names_and_is_not_there_or_no_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="which is not there"):
        known_fleet({"SPARK_MODE_FLEET": str(tmp_path / "absent.yaml")})
    with pytest.raises(ConfigurationError):
        known_fleet({"SPARK_MODE_FLEET": str(tmp_path)})
    assert known_fleet({"XDG_CONFIG_HOME": str(tmp_path)}).nodes == {}


def test_an_empty_file_names_no_machine(tmp_path: Path) -> None:
    assert fleet(tmp_path, "").nodes == {}


def test_the_file_is_the_users_own_or_the_one_that_is_named(tmp_path: Path) -> None:
    assert fleet_file({"SPARK_MODE_FLEET": "/x/fleet.yaml"}) == Path("/x/fleet.yaml")
    assert fleet_file({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "spark-mode" / "fleet.yaml"
