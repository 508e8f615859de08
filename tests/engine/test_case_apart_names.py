"""Where profiles are not called like what they start, modes are judged by what they start."""

from collections.abc import Callable

from tests.engine.lab import Lab


def test_the_matrix_judges_modes_by_what_their_profiles_start(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("apart_names")
    together = {(one["one"], one["other"]): one for one in lab.run("matrix", "--format", "json").json["modes"]}
    both = together[("talk chat", "tune finetune")]
    assert (both["decision"], both["total_gb"]) == ("no", 96)
    text = lab.run("matrix").out
    assert "no: one model at a time\n  talk: at most one of chat, code, see\n" in text
    assert "no: tuning runs alone\n  talk chat + tune finetune\n" in text


def test_without_the_compose_files_nothing_is_known_of_modes(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("apart_names")
    (lab.folder / "compose.yaml").write_text("services: [")
    modes = lab.run("matrix", "--format", "json").json["modes"]
    assert {one["decision"] for one in modes} == {"unknown"}
    assert "unknown: the Compose files cannot be read" in lab.run("matrix").out


def test_a_budget_of_profiles_is_that_of_what_they_start(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("apart_names")
    reckoned = lab.run("budget", "chat", "finetune", "--format", "json").json
    assert [one["name"] for one in reckoned["workloads"]] == ["qwen", "llama"]
    assert (reckoned["total_gb"], reckoned["decision"]) == (96, "no")
