"""`spark-mode page` on the command line: what it refuses, and which page `page link` means."""

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner, Result

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli, code_of
from spark_mode.page.places import Place, listen_at
from tests.page_client import Running, request, running, sends


@pytest.fixture(autouse=True)
def no_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have no page run of which the tests do not know."""
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as state:
        monkeypatch.setenv("XDG_STATE_HOME", state)
        yield


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return with which exit code the command is refused, and what it says."""
    code = code_of(["page", *arguments], "spark-mode", CliOptions())
    said = capsys.readouterr()
    assert said.out == ""
    return code, " ".join(said.err.split())


@pytest.mark.parametrize("where", ["0.0.0.0", "::", "192.168.1.5", "spark", "*"])  # noqa: S104 - it is what is refused
def test_no_other_address_is_listened_at_and_the_ways_that_work_are_named(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "--listen", where)
    assert code == 3
    assert "ssh -L 8710:127.0.0.1:8710 " in said
    assert "--behind https://NAME" in said


@pytest.mark.parametrize(
    "name", ["http://spark.example", "spark.example", "https://", "https://a b", "https://x/path", "https://x:99999"]
)
def test_a_proxy_is_named_as_a_browser_has_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "--behind", name)
    assert (code, "does not name who stands before the page" in said) == (2, True)


def test_a_page_listens_at_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--port", "8710", "--socket", "x")[0] == 2


@pytest.mark.parametrize("arguments", [(), ("install",)])
def test_without_the_extra_it_is_said_how_to_come_by_it(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, said = refused(capsys, *arguments)
    assert (code, "pipx inject spark-mode jinja2 starlette uvicorn" in said) == (3, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may have come by sudo")
@pytest.mark.parametrize("arguments", [(), ("link",), ("install",)])
def test_by_sudo_there_is_no_page_that_nobody_finds_again(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.delenv("XDG_STATE_HOME")
    code, said = refused(capsys, *arguments)
    assert (code, "run it as yourself" in said) == (3, True)


def test_a_link_to_no_page_says_how_to_have_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "link")
    assert (code, "no page of yours runs here" in said, "spark-mode page install" in said) == (3, True, True)


@pytest.mark.parametrize("answer", [b"[" * 4000, b"[1, 2]", b"{}", b"\xff"])
def test_what_answers_in_the_place_of_a_page_and_is_none_is_none(answer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(listen_at(Place(1).for_links)) as listening:

        def answers() -> None:
            with listening.accept()[0] as asking:
                asking.sendall(answer)

        other = threading.Thread(target=answers)
        other.start()
        code, said = refused(capsys, "link", "--port", "1")
        other.join()
    assert (code, "no page of yours runs here" in said) == (3, True)


def link(page: Running, *arguments: str) -> Result:
    """Ask for a link where this page is asked for one."""
    return CliRunner().invoke(cli, ["page", "link", "--format", "json", *arguments], env=page.environment, obj=CliOptions())


def test_with_several_pages_the_link_is_to_the_one_that_is_named() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="spark-mode-test-") as state,
        running("--port", "0", state=state) as one,
        running("--socket", f"{state}/page", "--behind", "https://x.example", state=state),
    ):
        assert "several pages of yours run" in str(link(one).exception)
        named = json.loads(link(one, "--port", one.place).output)
        assert named["url"].startswith(f"http://127.0.0.1:{one.place}/link?token=")
        other = json.loads(link(one, "--socket", f"{state}/page").output)
        assert other["place"] == f"{state}/page"
        assert other["url"].startswith("https://x.example/link?token=")


def test_a_link_that_only_looks_opens_a_session_that_only_looks() -> None:
    with running("--port", "0") as page:
        url = json.loads(link(page, "--read-only").output)["url"]
        page.opens(url)
        assert page.get("/healthz").status == 200
        form = "application/x-www-form-urlencoded"
        sent = request(
            "/stop", "POST", "form_token=x", Cookie=f"spark-mode-1={page.cookie}", Sec_Fetch_Site="same-origin", Content_Type=form
        )
        answer = sends(page.place, sent)
        assert (answer.status, "only looks" in answer.body) == (403, True)
