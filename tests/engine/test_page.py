"""What the page has done on a real engine, as a program that is no browser asks for it: forms, and what comes of them."""

import html
import json
import os
import re
import signal
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from spark_mode.page.views import LINES, LONGEST_LINE
from tests.browsing import RunningPage, running_page
from tests.engine.lab import DEADLINE, Lab, give_the_word, until, wait_for_a_word

FORM = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
CANARY = "canary-of-an-environment"
LOG = 100_000_000
"""Bytes of a log that nobody would read whole."""
LINE_OF_A_LOG = 400
HALVES = ("tr '\\0' x </dev/zero", f"yes $(printf %0{LINE_OF_A_LOG}d 0)")
"""What writes one line, and what writes many."""
_FIELD = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')


class Visit:
    """Somebody who has opened a page by its link."""

    def __init__(self, page: RunningPage) -> None:
        self._port, self._cookie = page.port, ""
        cookie = self._ask("GET", page.link().removeprefix(page.origin))[1]["set-cookie"]
        self._cookie = cookie.partition(";")[0]

    def _ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[str, dict[str, str]]:
        """Return the body of an answer, and its headers."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, {"Cookie": self._cookie, **headers})
            answer = connection.getresponse()
            return answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def html(self, path: str = "/") -> str:
        return self._ask("GET", path)[0]

    def sees(self, text: str, path: str = "/") -> bool:
        return text in html.unescape(self.html(path))

    def waits_for(self, text: str, path: str = "/") -> None:
        """Look again and again, rarely: each look is a whole page."""
        until(lambda: self.sees(text, path), pause=0.5)

    def confirms(self, plan: str, form: dict[str, list[str]] | None = None) -> str:
        """Confirm what a plan shows, or showed when its form was taken; return where that leads."""
        action = {"to": "switch", "recover": "recover"}[plan.partition("verb=")[2].partition("&")[0]]
        fields = urlencode(form or self.form(plan), doseq=True)
        return self._ask("POST", f"/{action}", fields, **FORM)[1]["location"]

    def form(self, plan: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in _FIELD.findall(self.html(plan)):
            found.setdefault(name, []).append(html.unescape(value))
        return found


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path is short, however long the test's name is: a socket lies below it, whose path may have 107 bytes."""
    return tmp_path_factory.mktemp("p")


@pytest.fixture
def visit(lab: Lab, tmp_path: Path) -> Iterator[Visit]:
    secret = tmp_path / "secret.yaml"
    secret.write_text(json.dumps({"services": {"omni": {"environment": {"TOKEN": CANARY}, "labels": {"note": "<script>x"}}}}))
    lab.files = (*lab.files, str(secret))
    with running_page(lab) as page:
        yield Visit(page)


def test_what_somebody_started_meanwhile_makes_it_another_plan_which_is_shown_and_nothing_is_touched(
    lab: Lab, visit: Visit
) -> None:
    lab.run("audio", "omni")
    shown = visit.form("/plan?verb=to&name=training")
    lab.compose("up", "--detach", "--no-deps", "whisper")
    before = lab.running()
    where = visit.confirms("/plan?verb=to&name=training", shown)
    assert where.startswith("plan?verb=to&name=training")
    assert visit.sees("the plan is another one by now", f"/{where}")
    assert visit.sees("stop whisper", f"/{where}")
    assert lab.running() == before
    for path in ("/", "/plan?verb=to&name=training", "/services/omni", "/status.json", "/map", "/history"):
        assert CANARY not in visit.html(path)


def test_a_start_that_fails_says_the_commands_words_and_the_end_of_its_log(lab: Lab) -> None:
    lab.environment["OMNI_FAULT"] = "crash-at-start"
    with running_page(lab) as page:
        visit = Visit(page)
        visit.confirms("/plan?verb=to&name=audio&name=omni")
        visit.waits_for("audio omni was not done; nothing runs")
        assert visit.sees("omni did not start: it crashed and restarts")
        assert visit.sees("omni crashes at its start, as asked")
        assert lab.run("history", "--format", "json").json[-1]["request"] == "audio omni"


def most_held(page: RunningPage) -> int:
    """Return the most bytes of memory that a page has had so far (proc(5))."""
    return 1024 * int(Path(f"/proc/{page.process.pid}/status").read_text().partition("VmHWM:")[2].split()[0])


def test_of_a_log_of_100_mb_the_end_is_read_and_no_more_be_it_one_line_or_many(lab: Lab) -> None:
    lab.run("audio", "omni")
    with running_page(lab) as page:
        visit = Visit(page)
        visit.html("/services/omni")
        before, written = most_held(page), f"head -c {LOG // len(HALVES)}; echo; echo the end of"
        for number, half in enumerate(HALVES):
            lab.docker("exec", lab.id_of("omni"), "sh", "-c", f"{{ {half} | {written} {number}; }} >/proc/1/fd/1")
            visit.waits_for(f"the end of {number}", "/services/omni")
            shown = visit.html("/services/omni")
            assert shown.partition('class="log"')[2].partition("</pre>")[0].count("\n") <= LINES
            assert len(shown) < LINES * LONGEST_LINE
            assert most_held(page) - before < LOG / 4


def test_a_killed_switch_is_shown_as_cut_off_and_is_recovered_from_the_page(lab: Lab, tmp_path: Path) -> None:
    wait_for_a_word(lab, tmp_path, "omni")
    with running_page(lab) as page:
        visit, other = Visit(page), Visit(page)
        visit.confirms("/plan?verb=to&name=audio&name=omni")
        until(lambda: "omni" in lab.running())
        visit.waits_for(", start omni</small>")
        assert other.sees("Switching: audio omni")
        assert other.sees(
            "another switch is running: audio omni", f"/{other.confirms('/plan?verb=to&name=training')}".replace("/./", "/")
        )
        found = re.search(r"\(process (\d+)\)", visit.html())
        assert found
        os.kill(int(found[1]), signal.SIGKILL)
        visit.waits_for("The switch to audio omni was cut off during: start omni")
        give_the_word(lab, "omni")
        visit.confirms("/plan?verb=recover")
        visit.waits_for("<title>audio omni")
