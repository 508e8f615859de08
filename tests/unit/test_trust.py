"""Whom a guard trusts: root, the user it runs as, and the owner of the lab, in everything that the lab is made from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spark_mode.enforcement.trust import require_trusted
from spark_mode.errors import ConfigurationError
from spark_mode.lab.drawn_in import drawn_in
from spark_mode.lab.files import LabFiles

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give a file away")
ANN, MALLORY = 64001, 64002
DEEP = "a: " + "[" * 5000 + "]" * 5000


@pytest.fixture
def lab(tmp_path: Path) -> LabFiles:
    """A lab whose files draw in one another every way there is; all of them are there."""
    texts = {
        "compose.yaml": (
            "include: [parts/one.yaml, {path: [parts/two.yaml], env_file: parts/two.env}]\n"
            "x-common: &common {env_file: [plain.env, {path: long.env, required: false}]}\n"
            "services:\n"
            "  a: {<<: *common, image: a, extends: {file: base/base.yaml, service: b}, label_file: labels}\n"
            "  b: {extends: a, environment: !reset null}\n"
        ),
        "parts/one.yaml": "include: [deep/three.yaml]\nservices: {c: {image: c}}\n",
        "parts/two.yaml": "services: {d: {image: d, env_file: beside.env}}\n",
        "parts/deep/three.yaml": "include: [../one.yaml]\n",
        "base/base.yaml": "services: {b: {image: b, extends: {file: ../base/more.yaml, service: c}}}\n",
        "base/more.yaml": "services: {c: {image: c}}\n",
        "rules.yaml": "extends: base-rules.yaml\n",
        **dict.fromkeys(("parts/two.env", "plain.env", "long.env", "labels", "parts/beside.env", ".env", "parts/.env"), "A=1\n"),
        "base-rules.yaml": "capacity: 1GB\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return LabFiles(compose=(str(tmp_path / "compose.yaml"),), rules=str(tmp_path / "rules.yaml"))


READ = (
    *("compose.yaml", "rules.yaml", ".env", "base-rules.yaml", "plain.env", "long.env", "labels"),
    *("parts/one.yaml", "parts/two.yaml", "parts/two.env", "parts/.env", "parts/beside.env", "parts/deep/three.yaml"),
    *("base/base.yaml", "base/more.yaml"),
)


def give(folder: Path, owner: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)


def refused(lab: LabFiles, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        require_trusted(lab)


def test_a_lab_of_ones_own_is_trusted_with_links_in_it(lab: LabFiles, tmp_path: Path) -> None:
    (tmp_path / "plain.env").rename(tmp_path / "parts/real.env")
    (tmp_path / "plain.env").symlink_to("parts/../parts/real.env")
    (tmp_path / "compose.yaml").chmod(0o664)
    require_trusted(lab)


@pytest.mark.parametrize("name", READ)
def test_no_file_that_is_read_may_be_written_by_everybody(lab: LabFiles, tmp_path: Path, name: str) -> None:
    require_trusted(lab)
    (tmp_path / name).chmod(0o666)
    refused(lab, f"{name} may be written by everybody")


@needs_root
@pytest.mark.parametrize("name", READ)
def test_no_file_that_is_read_may_belong_to_somebody_else(lab: LabFiles, tmp_path: Path, name: str) -> None:
    os.chown(tmp_path / "compose.yaml", ANN, -1)
    os.chown(tmp_path, ANN, -1)
    require_trusted(lab)
    os.chown(tmp_path / name, MALLORY, -1)
    refused(lab, f"belongs to user {ANN if name == 'compose.yaml' else MALLORY}")  # who owns the first file is the owner


@needs_root
@pytest.mark.parametrize("folder", ["", "parts", "base"])
def test_no_directory_on_the_way_may_belong_to_somebody_else(lab: LabFiles, tmp_path: Path, folder: str) -> None:
    os.chown(tmp_path / folder, MALLORY, -1)
    refused(lab, "neither root nor the owner of the lab")


def test_a_directory_that_everybody_may_write_is_trusted_only_where_nobody_can_replace_the_files_of_others(
    lab: LabFiles, tmp_path: Path
) -> None:
    (tmp_path / "parts").chmod(0o777)
    refused(lab, "parts may be written by everybody")
    (tmp_path / "parts").chmod(0o1777)
    require_trusted(lab)


@needs_root
def test_what_a_link_leads_to_and_who_may_turn_it_elsewhere_count(lab: LabFiles, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = elsewhere / "real.env"
    target.write_text("A=1\n")
    (tmp_path / "plain.env").unlink()
    (tmp_path / "plain.env").symlink_to(target)
    require_trusted(lab)
    give(elsewhere, MALLORY)
    refused(lab, "elsewhere belongs to")
    give(elsewhere, 0)
    os.chown(tmp_path / "plain.env", MALLORY, -1, follow_symlinks=False)
    refused(lab, "plain.env belongs to")


def test_a_lab_that_others_may_change_is_refused_before_anything_of_it_is_read(lab: LabFiles, tmp_path: Path) -> None:
    for file in (*lab.compose, lab.rules):
        Path(file).write_text("{")
    Path(lab.rules).chmod(0o666)
    named = ["--file", lab.compose[0], "--rules", lab.rules]
    guard = [sys.executable, "-m", "spark_mode.cli", *named, "guard"]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(guard, check=False, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "rules.yaml may be written by everybody" in done.stderr) == (3, True), done.stderr
    assert not (tmp_path / "state").exists()


@needs_root
def test_the_owner_of_the_lab_is_trusted_as_root_is(lab: LabFiles, tmp_path: Path) -> None:
    give(tmp_path, ANN)
    require_trusted(lab)


@pytest.mark.parametrize(
    "text",
    [
        "include: ['${DIR}/x.yaml']",
        "services: {a: {env_file: $HOME/x.env}}",
        "include: ['https://example.org/lab.git']",
        "a: [",
        DEEP,
    ],
)
def test_what_cannot_be_told_before_it_is_read_is_refused(lab: LabFiles, tmp_path: Path, text: str) -> None:
    (tmp_path / "parts/one.yaml").write_text(text)
    refused(lab, r"parts/one\.yaml(, line 2)?: ")


def test_names_that_are_no_paths_of_compose_are_left_alone() -> None:
    text = "services: {a: {extends: b, develop: {watch: [{include: ['$x/**']}]}, environment: {A: $B}}, b: {image: '${C}'}}"
    assert drawn_in(text, "x") == ()


def test_includes_that_go_round_in_a_circle_and_links_that_do_come_to_an_end(lab: LabFiles, tmp_path: Path) -> None:
    (tmp_path / "plain.env").unlink()
    (tmp_path / "plain.env").symlink_to("plain.env")
    (tmp_path / "base/more.yaml").write_text("services: {c: {extends: {file: ../parts/../base/base.yaml, service: b}}}")
    require_trusted(lab)


@pytest.mark.parametrize("last", ["x: *x29", "include: *x29", "services: {a: {env_file: *x29}}"])
def test_aliases_of_aliases_take_no_time(last: str) -> None:
    levels = [f"x{level}: &x{level} [{', '.join([f'*x{level - 1}'] * 9)}]" for level in range(1, 30)]
    assert drawn_in("\n".join(["x0: &x0 [{env_file: a}]", *levels, last]), "x") != ()


@pytest.mark.parametrize("text", ["include: &a [*a, b]", "services: {a: {env_file: &e [{path: *e}, b]}}"])
def test_aliases_that_go_round_in_a_circle_come_to_an_end(text: str) -> None:
    assert [one.path for one in drawn_in(text, "x")] == ["b"]


def test_what_is_merged_into_the_top_is_at_the_top() -> None:
    text = "x-i: &i {include: [other.yaml]}\nx-j: &j {<<: *i}\n<<: [*j]\nservices: {}\n"
    assert [one.path for one in drawn_in(text, "x")] == ["other.yaml"]
