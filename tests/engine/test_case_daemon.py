"""A model of a daemon outside Docker where nobody listens."""

from collections.abc import Callable

from tests.engine.lab import Lab


def test_a_daemon_where_nobody_listens_is_named_with_its_address(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("daemon")
    found = lab.run("check", "--format", "json", expect=None).json
    findings = found["findings"] if isinstance(found, dict) else found
    assert not [one for one in findings if "None" in one["message"]]
    assert [one["where"] for one in findings if one["message"] == "nobody listens at http://127.0.0.1:1"] == [
        "rules: hosts/ollama"
    ]
    plan = lab.run("plan", "up", "ui", "--with", "llama", "--format", "json").json
    assert plan["warnings"] == ["ollama does not answer at http://127.0.0.1:1: llama can be loaded once it runs there"]
    refused = lab.run("up", "ui", "--with", "llama", expect=1).err
    assert "nobody listens at http://127.0.0.1:1" in refused
    assert lab.running() == {}
