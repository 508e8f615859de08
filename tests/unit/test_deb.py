"""What the Debian package has beside the program, written into a tree: nothing of the machine that builds it is in there."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deb.control import CONTROL, MAINTAINER, SCRIPTS
from deb.files import COMMAND, write_files
from deb.programs import PYTHONS, ROOT, needed
from spark_mode.lab.verbs import VERBS

UNIT = "usr/lib/systemd/system/spark-mode-guard@.service"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    write_files(folder)
    return folder


def text(path: Path) -> str:
    return (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()


def test_nothing_in_the_package_calls_the_machine_that_built_it(tree: Path) -> None:
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert len(files) >= 11
    for path in files:
        assert sys.executable not in text(path), path
        assert str(ROOT) not in text(path), path


@pytest.mark.parametrize(
    "path",
    [
        "usr/libexec/docker/cli-plugins/docker-spark",
        "usr/share/bash-completion/completions/spark-mode",
        "usr/share/zsh/vendor-completions/_spark-mode",
        "usr/share/fish/vendor_completions.d/spark-mode.fish",
        UNIT,
    ],
)
def test_what_calls_the_program_calls_it_by_its_place(tree: Path, path: str) -> None:
    assert COMMAND in text(tree / path)


def test_the_manual_has_each_command_and_the_program_that_shows_it_finds_no_fault(tree: Path) -> None:
    manual = text(tree / "usr/share/man/man1/spark-mode.1.gz")
    assert all(f".SS {name} " in manual for name in VERBS)
    assert r"\-\-drop\-caches" in manual
    if shutil.which("groff"):
        shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], check=True, input=manual, capture_output=True, text=True)
        assert shown.stderr == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_no_fault_in_the_packages_unit(tree: Path, tmp_path: Path) -> None:
    unit = tmp_path / "spark-mode-guard@srv-lab.service"
    unit.write_text(text(tree / UNIT).replace(COMMAND, "/bin/true"))
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], check=False, capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "ExecStart=/bin/true -C %f guard" in unit.read_text()


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_dpkg_runs_is_read_by_every_shell(script: str) -> None:
    subprocess.run(["sh", "-n", ROOT / "deb/scripts" / script], check=True)


def test_the_package_says_for_which_pythons_it_has_something() -> None:
    fields = CONTROL.format(version="1", architecture="arm64", maintainer=MAINTAINER, kilobytes=1, first=PYTHONS[0], next="3.15")
    assert "Depends: python3 (>= 3.11), python3 (<< 3.15)" in fields


def test_the_package_has_what_is_a_matter_of_choice_elsewhere_and_what_that_needs_in_turn() -> None:
    assert {"nvidia-ml-py", "starlette", "anyio", "uvicorn", "h11", "jinja2", "markupsafe"} <= needed().keys()
    assert not {"pytest", "httptools", "python-multipart", "exceptiongroup"} & needed().keys()
