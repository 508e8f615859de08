"""What an index of packages, or a package manager, shows of spark-mode."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_package_says_who_made_it_under_which_licence_and_for_whom() -> None:
    assert PROJECT["authors"][0]["name"]
    assert PROJECT["license"] == "Apache-2.0"
    assert {"Operating System :: POSIX :: Linux", "Typing :: Typed"} <= {*PROJECT["classifiers"]}
    assert "dgx-spark" in PROJECT["keywords"]


def test_the_version_stands_in_one_place() -> None:
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
