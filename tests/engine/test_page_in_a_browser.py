"""The page as people have it: in Chromium, with the real engine and the stand-in lab.

All of them use one lab, whose page and whose Chromium are in a place without a network, and each begins with what runs there.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Response, expect

from spark_mode.lab.document import parse_document
from spark_mode.sharing.lock import user_name
from tests.browsing import (
    PROGRAM,
    SECONDS,
    RunningPage,
    chromium,
    enter,
    entered,
    goes_by_keys,
    new_tab,
    playwright,
    running_page,
)
from tests.deep import deep
from tests.engine.conftest import PROJECT, stand_in
from tests.engine.lab import ROOT, Lab, give_the_word, until, wait_for_a_word
from tests.engine.witness import Witness
from tests.loopback import Loopback, loopback

pytestmark = pytest.mark.xdist_group("browser")  # whose tests share one
expect.set_options(timeout=SECONDS * 1000)
MOST_BYTES = 80_000
SETS = {one["name"]: one["workloads"] for one in parse_document((ROOT / "rules.yaml").read_text(), "rules.yaml")["sets"]}


@pytest.fixture(scope="module")
def place() -> Iterator[Loopback]:
    with loopback() as one:
        yield one


@pytest.fixture(scope="module")
def browser(place: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    there = tmp_path_factory.mktemp("there") / "chromium"
    there.write_text(f'#!/bin/sh\nexec {" ".join(place.before)} {PROGRAM} "$@"\n')
    there.chmod(0o755)
    with (
        playwright() as driver,
        chromium(driver, "--host-resolver-rules=MAP evil.example 127.0.0.1", program=str(there)) as one,
    ):
        yield one


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path is short, however long the test's name is: a socket lies below it, whose path may have 107 bytes."""
    return tmp_path_factory.mktemp("p")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, kept_answer: Path, place: Loopback) -> Iterator[Lab]:
    with stand_in(tmp_path_factory.mktemp("p"), kept_answer) as one:
        one.namespace = place.namespace
        yield one


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[RunningPage]:
    with running_page(lab) as one:
        yield one


@pytest.fixture(scope="module")
def only_tab(browser: Browser) -> Page:
    """A tab for most tests: each new one takes as much to begin with as a test does in it."""
    return new_tab(browser)


@pytest.fixture
def tab(only_tab: Page) -> Iterator[Page]:
    """The same, with nothing kept of former pages."""
    yield only_tab
    only_tab.goto("about:blank")
    only_tab.context.clear_cookies()


@pytest.fixture
def omni(lab: Lab) -> None:
    """Have omni run, where something else does."""
    if set(lab.running()) != {"omni"}:
        lab.run("audio", "omni", "--yes")


def heading(tab: Page) -> Locator:
    return tab.locator("#heading h1")


def ask(tab: Page, mode: str) -> None:
    """Press what shows the plan of a mode."""
    tab.locator("#modes").get_by_role("link", name=mode, exact=True).click()


def confirm(tab: Page) -> None:
    tab.locator("form.confirm button").click()


def asked(lab: Lab) -> list[tuple[str, str]]:
    """Return what was asked for, and how it ended, as the history of the command has it."""
    return [(one["request"], one["outcome"]) for one in lab.run("history", "--format", "json").json]


@contextmanager
def another_port(place: Loopback) -> Iterator[str]:
    """Have somebody else listen on this machine, and show a page of theirs."""

    class Theirs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>theirs</title>")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Theirs, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = place.listening()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join()


READS = """async (address) => {
  const read = (how) => fetch(address, {credentials: "include", ...how}).then((one) => one.text()).catch(() => "");
  const events = new Promise((done) => {
    const source = new EventSource(address + "events", {withCredentials: true});
    source.onmessage = source.onopen = () => done("open");
    source.onerror = () => { source.close(); done(""); };
  });
  const framed = new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => { try { done(frame.contentDocument.body.innerText); } catch { done(""); } };
    frame.src = address;
    document.body.append(frame);
  });
  return [await read({}), await read({mode: "no-cors"}), await events, await framed].join("");
}"""
SENDS = """(address) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = address + "stop";
  form.innerHTML = '<input name="verb" value="stop">';
  document.body.append(form);
  form.submit();
}"""


@pytest.mark.usefixtures("omni")
def test_a_page_of_somebody_else_neither_reads_nor_switches(lab: Lab, place: Loopback, page: RunningPage, tab: Page) -> None:
    enter(tab, page)
    before = asked(lab)
    with another_port(place) as theirs:
        tab.goto(theirs)
        assert tab.evaluate(READS, f"{page.origin}/") == ""
        with tab.expect_navigation() as sent:
            tab.evaluate(SENDS, f"{page.origin}/")
        assert sent.value.status == 403
    evil = tab.goto(f"http://evil.example:{page.port}/")
    assert evil is not None
    assert evil.status == 403
    assert "omni" not in tab.content()
    assert tab.evaluate("fetch('/status.json').then(one => one.status)") == 403
    sent_there = "fetch('/stop', {method: 'POST', body: new URLSearchParams({verb: 'stop'})}).then(one => one.status)"
    assert tab.evaluate(sent_there) == 403
    assert (set(lab.running()), asked(lab)) == ({"omni"}, before)


def test_what_is_held_is_switched_once_it_is_released_and_without_scripts_by_forms_and_a_reload(
    lab: Lab, browser: Browser, page: RunningPage
) -> None:
    lab.run("audio", "omni", "--hold")
    tab = entered(browser, page, java_script_enabled=False)

    def reloaded(one: Locator) -> str:
        tab.get_by_role("link", name="Reload").click()
        return one.inner_text()

    expect(tab.locator("#theme")).to_be_hidden()  # which would do nothing
    expect(tab.locator("#heading")).to_contain_text(user_name())
    training = tab.locator("#modes li", has_text="training")
    expect(training).to_contain_text("is held")
    expect(training.get_by_role("link")).to_have_count(0)
    tab.get_by_role("button", name="Release").click()
    until(lambda: "is held" not in reloaded(training), pause=0.5)
    tab.locator("input[value=training]").check()
    tab.get_by_role("button", name="Reckon").click()
    expect(tab.locator("#reckoned")).to_contain_text("fits-easily")
    tab.get_by_role("link", name="Now").click()
    ask(tab, "training")
    confirm(tab)
    until(lambda: reloaded(heading(tab)).startswith("training"), pause=0.5)
    assert set(lab.running()) == {"training"}
    tab.context.close()


def test_a_switch_from_the_page_is_the_commands_and_leaving_a_long_run_takes_a_tick_and_the_sides_never_meet(
    lab: Lab, page: RunningPage, tab: Page
) -> None:
    lab.run("training", "--yes")
    before = asked(lab)
    enter(tab, page)
    expect(heading(tab)).to_have_text("training")
    with Witness(lab.project) as witness:
        ask(tab, "audio omni")
        plan = tab.url
        confirm(tab)
        assert tab.url == plan, "the browser asks for the tick first"
        tab.evaluate("document.querySelector('[name=agree]').required = false")  # and where it does not
        confirm(tab)
        expect(tab.locator("#outcome")).to_contain_text("would stop training, which runs")
        assert set(lab.running()) == {"training"}
        tab.locator("[name=agree]").check()
        confirm(tab)
        expect(tab).to_have_title("audio omni · spark-mode")
    witness.require(audio_starts=1, training_starts=0)
    assert set(lab.running()) == {"omni"}
    until(lambda: asked(lab) == [*before, ("audio omni", "refused"), ("audio omni", "applied")])
    expect(heading(tab)).to_contain_text("audio omni")


@pytest.mark.usefixtures("omni")
def test_what_a_killed_page_has_begun_goes_on_and_another_page_shows_it(
    lab: Lab, tmp_path: Path, tab: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "files", lab.files)
    wait_for_a_word(lab, tmp_path, "training")
    with running_page(lab) as page:
        enter(tab, page)
        ask(tab, "training")
        confirm(tab)
        expect(heading(tab)).to_contain_text("Switching: training")
        expect(tab.locator("#theme")).to_be_visible()  # its script runs
        page.kill()
        expect(tab.locator("#connection")).not_to_be_empty()
    with running_page(lab) as another:
        enter(tab, another)
        expect(heading(tab)).to_contain_text("Switching: training")
        until(lambda: "training" in lab.running())
        give_the_word(lab, "training")
        expect(heading(tab)).to_have_text("training")
        expect(tab.locator("#last")).to_contain_text("training")
    assert asked(lab)[-1] == ("training", "applied")


@deep
@pytest.mark.usefixtures("omni")
def test_who_only_looks_has_nothing_to_press_and_is_refused(lab: Lab, page: RunningPage, tab: Page) -> None:
    enter(tab, page, "--read-only")
    expect(heading(tab)).to_contain_text("audio omni")
    expect(tab.locator("form[method=post], #modes a, a.button")).to_have_count(0)
    for path in ("switch", "stop", "restore", "recover", "release"):
        sent = "fetch('%s', {method: 'POST', body: new URLSearchParams({verb: 'stop'})}).then(one => one.status)"
        assert tab.evaluate(sent % path) == 403
    tab.goto(f"{page.origin}/services/omni")
    expect(tab.locator("main")).to_contain_text("running")
    expect(tab.locator("pre.log")).to_have_count(0)
    assert set(lab.running()) == {"omni"}


@deep
def test_the_budget_builder_reckons_as_the_command_does_by_keys_alone(lab: Lab, page: RunningPage, tab: Page) -> None:
    enter(tab, page)
    for names in SETS.values():
        tab.goto(f"{page.origin}/budget")
        boxes = tab.locator("#ticks input")
        for place in range(boxes.count()):
            if place == 0:
                goes_by_keys(tab, boxes.first)
            else:
                tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.value") in names:
                tab.keyboard.press("Space")
        said = lab.run("budget", *names, "--format", "json").json
        reckoned = tab.locator("#reckoned:not(.stale)")
        expect(reckoned.locator(".total .n")).to_have_text(f"{said['total_gb']:.1f} GB")
        expect(reckoned.locator("tr").last.locator(".n")).to_have_text(f"{said['remaining_gb']:.1f} GB")
        expect(reckoned.locator(".verdict")).to_contain_text(f"memory {said['memory']}, compute {said['compute']}")
        expect(reckoned.locator(".verdict b")).to_have_text(said["decision"])


class Installed(Lab):
    """A lab that is used by the program of an installed wheel."""

    forked = False

    def __init__(self, home: Path, command: Sequence[str]) -> None:
        super().__init__(f"{PROJECT}-installed", home)
        self._command = command
        del self.environment["PYTHONPATH"]

    def arguments(self, *arguments: str) -> list[str]:
        return [*self._command, *self.words(*arguments)]


def test_an_installed_page_needs_no_network_and_asks_nobody_but_itself(
    tmp_path: Path, program: Path, place: Loopback, tab: Page
) -> None:
    if not place.before:
        pytest.skip("root alone can be without a network")
    asked_for: list[str] = []
    answers: list[Response] = []

    def asks(one: Request) -> None:
        asked_for.append(one.url)

    def heard(one: Response) -> None:
        answers.append(one)

    with running_page(Installed(tmp_path, [*place.before, str(program)])) as page:
        tab.on("request", asks)
        tab.on("response", heard)
        enter(tab, page)
        expect(heading(tab)).to_contain_text("Idle")
        tab.remove_listener("request", asks)
        tab.remove_listener("response", heard)
        assert [one for one in asked_for if not one.startswith(f"{page.origin}/")] == []
        whole = [one for one in answers if one.status != 303 and "event-stream" not in one.headers["content-type"]]
        assert len(whole) >= 3
        assert sum(len(one.body()) for one in whole) <= MOST_BYTES
