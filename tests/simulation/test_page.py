"""What the page shows of each state of a lab, and what it has the command do. It never acts itself."""

import asyncio
import errno
import os
import re
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from documents.page import state
from spark_mode.errors import SparkModeError
from spark_mode.lab.size import GB, gb_text
from spark_mode.page import live as live_module
from spark_mode.page.access import Visitor
from spark_mode.page.live import Live
from spark_mode.page.look import look
from spark_mode.page.page_lab import PageLab
from spark_mode.page.states import heading
from spark_mode.page.stream import Parts, told
from spark_mode.planning.budget import budget
from spark_mode.planning.digest import digest_of
from spark_mode.planning.observed import Observed
from spark_mode.planning.request import ModeRequest, Request, StopRequest
from spark_mode.planning.together import named_workloads
from spark_mode.session.session import Session
from spark_mode.sharing.lock import switch_lock
from tests.simulation.engine import Killed
from tests.simulation.lab import PROJECT, RULES, SimulatedSession, ask, machine
from tests.simulation.machine import SimulatedMachine
from tests.simulation.page import Page

OMNI, XTTS = ModeRequest(mode="audio", profile="omni"), ModeRequest(mode="audio", profile="xtts")
TRAINING = ModeRequest(mode="training")
TO_TRAINING = "/plan?verb=to&name=training"
SECONDS = 60.0
HOSTILE = "<script>alert(1)</script>\x1b[31m"
NINE = (
    "whisper llama3.1:8b f5",
    "omni",
    "whisper llama3.1:8b f5 devstral",
    "whisper llama3.1:70b f5",
    "training whisper llama3.1:8b f5",
    "training:large coder32b",
    "training omni chatterbox llama3.1:70b devstral",
    "llama3.1:70b devstral",
    "training",
)


def follow(live: Live) -> AsyncGenerator[bytes, None]:
    """Return the events that somebody is told who follows the page."""
    return told(live, Parts(live), Visitor(False, "token"))


def asked(on: SimulatedMachine, folder: Path, *requests: Request, **options: bool) -> None:
    for one in requests:
        with suppress(SparkModeError):
            ask(on, folder, one, **options)


def omni_fails(on: SimulatedMachine, folder: Path) -> None:
    on.sick.add("omni")
    asked(on, folder, XTTS, OMNI)


def omni_fails_and_nothing_comes_back(on: SimulatedMachine, folder: Path) -> None:
    on.sick.add("omni")
    asked(on, folder, XTTS)
    asked(on, folder, OMNI, restore_on_failure=False)


def cut_off(on: SimulatedMachine, folder: Path) -> None:
    asked(on, folder, OMNI)
    on.kill_at = (on.effects + 5, "before")
    with suppress(Killed):
        ask(on, folder, TRAINING)
    on.kill_at = None


def engine_away(on: SimulatedMachine, folder: Path) -> None:
    asked(on, folder, OMNI)
    on.engine_answers = False


def two_sides(on: SimulatedMachine, folder: Path) -> None:
    asked(on, folder, TRAINING)
    on.put("omni", "created")
    on.outside_start("omni")


def little_memory(on: SimulatedMachine, folder: Path) -> None:
    asked(on, folder, OMNI)
    on.taken += 105 * GB


def held(on: SimulatedMachine, folder: Path) -> None:
    asked(on, folder, OMNI, hold=True)


STATES: dict[str, tuple[Callable[[SimulatedMachine, Path], None], str, list[str]]] = {
    "idle": (lambda *_: None, "Idle, 128.0 GB free", ["audio omni", "stops nothing"]),
    "a mode": (
        lambda on, folder: asked(on, folder, OMNI),
        "audio omni",
        ["it runs now", "stops omni, frees 8.0 GB", "Stop everything"],
    ),
    "a long run": (
        lambda on, folder: asked(on, folder, OMNI, TRAINING),
        "training",
        ["it runs now", "stops training, frees 12.0 GB"],
    ),
    "rolled back": (omni_fails, "audio omni was not done; audio xtts runs", ["omni did not start", "Try audio omni again"]),
    "stopped": (omni_fails_and_nothing_comes_back, "audio omni was not done; nothing runs", ["Bring back what ran before"]),
    "cut off": (cut_off, "The switch to training was cut off during: stop omni", ["See what recovering does"]),
    "engine away": (
        engine_away,
        "Docker does not answer; what runs is not known",
        ["No mode can be asked for", "What runs is not known."],
    ),
    "two sides": (two_sides, "Two sides run: omni beside training", ["Stop omni", "Stop training"]),
    "low memory": (little_memory, "15.0 GB of memory left", ["no guard runs", "omni would go first"]),
    "held": (held, "audio omni", ["audio omni is held by", "Release it", "refused: "]),
}


@pytest.mark.parametrize("name", STATES)
def test_each_state_has_its_heading_and_says_what_can_be_done(name: str, tmp_path: Path) -> None:
    happens, said, offers = STATES[name]
    on = machine()
    happens(on, tmp_path)
    page = Page(on, tmp_path)
    assert page.heading().startswith(said)
    shown = page.text()
    assert [one for one in offers if one not in shown] == []
    title = re.search("<title>(.*)</title>", page.html())
    assert title and title[1].startswith(said.rstrip(": ").partition("'")[0])


def test_a_lab_whose_engine_is_away_is_never_called_idle_and_its_memory_is_shown(tmp_path: Path) -> None:
    on = machine()
    engine_away(on, tmp_path)
    page = Page(on, tmp_path)
    assert "Idle" not in page.text()
    assert "of 128.0 GB used" in page.text()
    assert 'href="plan' not in page.html()


def test_a_switch_that_runs_is_shown_whoever_began_it_and_nothing_else_can_be_asked_for(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    session = SimulatedSession(on, tmp_path)
    with switch_lock(tmp_path, "training", 0.0, lambda _: None, session.clock) as lock:
        lock.doing("stop omni")
        page = Page(on, tmp_path)
        assert page.heading().startswith("Switching: training")
        assert "now: stop omni" in page.text()
        assert 'href="plan' not in page.html().partition('id="budget"')[0].partition('id="modes"')[2]
    assert page.heading().startswith("audio omni") or Page(on, tmp_path).heading() == "audio omni"


def test_a_switch_that_ends_while_it_is_looked_at_was_not_cut_off(tmp_path: Path) -> None:
    on = machine()
    cut_off(on, tmp_path)
    with ExitStack() as runs:
        runs.enter_context(switch_lock(tmp_path, "training", 0.0, lambda _: None, on))

        class Ending(SimulatedSession):
            def observe(self) -> Observed:
                runs.close()
                return super().observe()

        seen = look(PageLab(lambda: Ending(on, tmp_path), (), "lab")).look
    assert heading(seen).state == "switching"


@pytest.mark.parametrize("name", STATES)
def test_who_only_looks_is_offered_nothing_and_may_do_nothing(name: str, tmp_path: Path) -> None:
    on = machine()
    STATES[name][0](on, tmp_path)
    page = Page(on, tmp_path, read_only=True)
    for path in ("/", "/budget?name=omni"):
        assert "post" not in page.html(path)
        assert 'href="plan' not in page.html(path)
    assert page.posts("/stop", {"verb": ["stop"]})[0] == 403
    assert page.done is None


def test_who_only_looks_sees_no_log(tmp_path: Path) -> None:
    on = machine()
    omni_fails(on, tmp_path)
    entry = re.search(r'href="(history/\w+)">audio omni', Page(on, tmp_path).html("/history"))
    assert entry
    written = "the last line of"
    for path in ("/", f"/{entry[1]}", "/services/xtts"):
        assert written in Page(on, tmp_path).text(path), path
        assert written not in Page(on, tmp_path, read_only=True).html(path), path
    for path in ("/history", "/status.json", "/map"):
        assert written not in Page(on, tmp_path, read_only=True).html(path), path


def test_a_plan_is_shown_with_what_it_stops_and_what_it_leads_to(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    shown = Page(on, tmp_path).text(TO_TRAINING)
    assert "omni is stopped" in shown
    assert "training runs alone" in shown
    assert "= total 16.0 GB" in shown


def test_what_was_shown_is_what_the_command_is_told_to_expect(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    page = Page(on, tmp_path)
    form = page.form(TO_TRAINING)
    assert page.posts("/switch", form) == (303, "./")
    digest = digest_of(SimulatedSession(on, tmp_path).plan(TRAINING))
    assert page.done
    assert page.done["words"] == ["to", "training", "--format", "jsonl", "--no-input", f"--expect={digest}"]


def test_the_command_is_in_a_session_of_its_own_so_that_it_outlives_the_page(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)
    page.posts("/switch", page.form(TO_TRAINING))
    assert page.done
    assert page.done["session"] == page.done["pid"] != os.getsid(0)


def test_a_long_run_is_left_only_with_its_box_ticked(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, TRAINING)
    page = Page(on, tmp_path)
    path = "/plan?verb=to&name=audio&name=omni"
    box = re.search(r'<input type="checkbox" name="agree"[^>]*>', page.html(path))
    assert box
    assert "required" in box[0]
    page.posts("/switch", page.form(path))
    assert page.done
    assert "--no-input" in str(page.done["words"])
    page.posts("/switch", {**page.form(path), "agree": ["training"]})
    assert "--yes" in str(page.done["words"])


def test_what_ran_before_comes_back_afterwards_only_where_that_is_ticked(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    page = Page(on, tmp_path)
    page.posts("/switch", {**page.form(TO_TRAINING), "then": ["1"]})
    assert page.done
    assert "--then restore" in " ".join(map(str, page.done["words"]))  # type: ignore[call-overload]  # a list, in JSON


def test_a_plan_that_is_another_one_by_now_is_refused_in_the_commands_words_beside_the_new_plan(tmp_path: Path) -> None:
    said = "the plan is another one by now: it stops whisper; nothing was touched"
    page = Page(machine(), tmp_path, code=4, says=said)
    code, where = page.posts("/switch", page.form(TO_TRAINING))
    assert (code, where.partition("&act=")[0]) == (303, "plan?verb=to&name=training")
    assert said in page.text(f"/{where}")
    assert "Switch to training" in page.text(f"/{where}")


def test_a_command_that_cannot_begin_says_why_on_the_first_page(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path, code=5, says="another switch is running: audio omni, by ann")
    _, where = page.posts("/switch", page.form(TO_TRAINING))
    assert "another switch is running: audio omni, by ann" in page.text(f"/{where.removeprefix('./')}")


@pytest.mark.parametrize("digest", ["\x00", "", "--yes"])
def test_a_form_that_has_seen_no_plan_reaches_no_command(digest: str, tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)
    assert page.posts("/switch", {**page.form(TO_TRAINING), "expect": [digest]})[0] == 404
    assert page.done is None


def test_where_there_is_no_place_for_a_command_the_page_says_so_and_goes_on(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path, program=str(tmp_path / "gone"))
    assert page.posts("/switch", page.form(TO_TRAINING))[0] == 503
    assert page.posts("/release", page.form(TO_TRAINING))[0] == 503
    assert page.heading()


def test_a_form_does_what_its_address_says_and_nothing_else(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)
    assert page.posts("/restore", page.form(TO_TRAINING))[0] == 404
    assert page.done is None


@pytest.mark.parametrize("name", ["--force", "a\x00b", "", "x" * 301])
def test_a_name_that_no_lab_has_reaches_no_command(name: str, tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)
    form = {**page.form(TO_TRAINING), "name": [name]}
    assert page.posts("/switch", form)[0] == 404
    assert page.done is None


def test_a_recovery_shows_its_plan_before_it_is_confirmed(tmp_path: Path) -> None:
    on = machine()
    cut_off(on, tmp_path)
    page = Page(on, tmp_path)
    shown = page.text("/plan?verb=recover")
    assert "was cut off during" in shown
    assert "start training" in shown
    page.posts("/recover", page.form("/plan?verb=recover"))
    assert page.done
    assert page.done["words"] == ["recover", "--format", "jsonl"]


def test_what_is_asked_for_that_cannot_be_is_said_as_the_command_says_it(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)
    assert 'this lab has no mode "tranig"' in page.text("/plan?verb=to&name=tranig")
    assert "no switch was cut off" in page.text("/plan?verb=recover")
    assert "there is no mode before" in page.text("/plan?verb=restore")


@pytest.mark.parametrize("names", NINE)
def test_the_budget_builder_reckons_as_the_command_does(names: str, tmp_path: Path) -> None:
    reckoned = budget(named_workloads(names.split(), RULES, PROJECT), RULES, 128 * GB)
    shown = Page(machine(), tmp_path).text(f"/budget?{'&'.join(f'name={one}' for one in names.split())}")
    assert f"{reckoned.decision} memory {reckoned.memory}, compute {reckoned.compute}" in shown
    assert f"+ overhead {gb_text(reckoned.overhead)} = total {gb_text(reckoned.total)}" in shown
    assert f"remaining {gb_text(reckoned.remaining)}" in shown


def test_all_that_comes_from_outside_is_text(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    page = Page(on, tmp_path)
    for path in ("/budget?name=", "/services/", "/history/", "/plan?verb=to&name="):
        shown = page.html(
            f"{path}%3Cscript%3Ealert(1)%3C%2Fscript%3E%1B%5B31m", 200 if path[1] in "bp" and "verb" not in path else 404
        )
        assert "<script>alert" not in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize("path", ["/", TO_TRAINING, "/budget?name=omni", "/services/omni", "/history", "/map"])
def test_every_address_is_relative_and_none_is_elsewhere(path: str, tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    found = re.findall(r'(?:href|src|action)="([^"]*)"', Page(on, tmp_path).html(path))
    assert found
    assert [one for one in found if one.startswith("/") or "://" in one] == []
    assert "style=" not in Page(on, tmp_path).html(path)


def test_an_address_that_is_none_leads_to_the_first_page(tmp_path: Path) -> None:
    assert 'href="../.././">Go to the first page' in Page(machine(), tmp_path).html("/a/b/c", 404)


def test_a_page_deeper_down_leads_up(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    assert 'href="../static/page.css"' in Page(on, tmp_path).html("/services/omni")


def test_a_request_that_failed_has_its_cause_and_its_steps_in_the_history(tmp_path: Path) -> None:
    on = machine()
    omni_fails(on, tmp_path)
    page = Page(on, tmp_path)
    entry = re.search(r'href="(history/\w+)">audio omni', page.html("/history"))
    assert entry
    shown = page.text(f"/{entry[1]}")
    assert "omni did not start" in shown
    assert "✗ failed:" in shown


def test_the_status_is_that_of_the_command(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, XTTS)
    assert '"mode":"audio xtts"' in Page(on, tmp_path).html("/status.json")
    on.engine_answers = False
    assert '"exit_code":6' in Page(on, tmp_path).html("/status.json", 503)


def test_many_who_look_at_once_are_given_one_look_and_nobody_looks_while_nobody_does(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)

    async def looks() -> None:
        live = Live(page.lab)
        await asyncio.gather(*(live.look(fresh=60) for _ in range(8)))

    asyncio.run(looks())
    assert page.opened == 1


def test_who_asks_while_somebody_looks_waits_for_one_more_look_and_no_longer(tmp_path: Path) -> None:
    """An engine that does not answer is waited for at each look."""
    page, looking, goes_on = Page(machine(), tmp_path), threading.Event(), threading.Event()

    def opens() -> Session:
        looking.set()
        goes_on.wait(SECONDS)
        return page.lab.open()

    async def looks() -> None:
        live = Live(page.lab._replace(open=opens))
        first = asyncio.create_task(live.look(fresh=0))
        await asyncio.to_thread(looking.wait)
        others = [asyncio.create_task(live.look(fresh=0)) for _ in range(8)]
        await asyncio.sleep(0)  # all of them have asked
        goes_on.set()
        await asyncio.gather(first, *others)

    asyncio.run(looks())
    assert page.opened == 2


def test_an_engine_that_never_answers_keeps_nobody_waiting_and_what_runs_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, goes_on, silent = Page(machine(), tmp_path), threading.Event(), threading.Event()

    def opens() -> Session:
        if silent.is_set():
            goes_on.wait(SECONDS)
        return page.lab.open()

    async def comes() -> tuple[str, ...]:
        one = Live(page.lab._replace(open=opens))
        before = heading(await one.look_now()).text
        silent.set()
        monkeypatch.setattr(live_module, "PATIENCE_SECONDS", 0.05)
        during = {heading(seen).text for seen in await asyncio.gather(*(one.look_now(fresh=0) for _ in range(8)))}
        monkeypatch.undo()
        goes_on.set()
        return before, *during, heading(await one.look()).text

    assert asyncio.run(comes()) == (
        "Idle, 128.0 GB free",
        "Docker does not answer; what runs is not known",
        "Idle, 128.0 GB free",
    )


def test_who_follows_is_told_everything_first_and_then_what_has_changed(tmp_path: Path) -> None:
    on = machine()
    page = Page(on, tmp_path)

    async def follows() -> list[str]:
        live = Live(page.lab)
        events = follow(live)
        found = [await anext(events), await anext(events)]
        asked(on, tmp_path, OMNI)
        live.hint()
        async for one in events:
            found.append(one)
            if b"audio omni" in one:
                break
        await events.aclose()
        return [one.decode() for one in found]

    first, whole, *_, last = asyncio.run(follows())
    assert first.startswith("retry: ")
    assert "Idle" in whole
    assert all(f'"{part}"' in whole for part in ("heading", "memory", "modes", "services", "last", "title"))
    assert last.startswith("id: ")
    assert '"title": "audio omni' in last


def test_who_follows_comes_again_after_a_look_that_nobody_foresaw_to_fail(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)
    full = OSError(errno.EMFILE, "Too many open files")
    fails = iter((None, full))

    def opens() -> Session:
        if error := next(fails, None):
            raise error
        return page.lab.open()

    async def follows() -> str:
        live = Live(page.lab._replace(open=opens))
        async with asyncio.timeout(SECONDS):
            async for _ in follow(live):
                live.hint()
            events = follow(live)
            await anext(events)
            whole = await anext(events)
            await events.aclose()
        return whole.decode()

    assert "Idle" in asyncio.run(follows())


def test_who_follows_sees_an_engine_go_away_and_come_back_without_a_reload(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)

    async def follows() -> list[str]:
        live, titles = Live(Page(on, tmp_path).lab), list[str]()
        events = follow(live)
        async for one in events:
            titles += re.findall(r'"title": "([^"]*) \\u00b7', one.decode())
            if len(titles) == 3:
                break
            if titles:
                on.engine_answers = len(titles) != 1
                live.hint()
        await events.aclose()
        return titles

    assert asyncio.run(follows()) == ["audio omni", "Docker does not answer; what runs is not known", "audio omni"]


def test_when_the_last_one_who_follows_has_gone_nothing_goes_on(tmp_path: Path) -> None:
    page = Page(machine(), tmp_path)

    async def comes_and_goes() -> int:
        events = follow(Live(page.lab))
        await anext(events)
        await anext(events)
        await events.aclose()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        left = (await asyncio.wait(others, timeout=60))[1] if others else ()
        return len(left)

    assert asyncio.run(comes_and_goes()) == 0


def test_tabs_that_are_shown_the_same_are_shown_what_is_made_once(tmp_path: Path) -> None:
    async def shown() -> tuple[bool, bool, bool]:
        live = Live(Page(machine(), tmp_path).lab)
        look, parts = await live.look(), Parts(live)
        one, other = Visitor(False, "token"), Visitor(True, "token")
        first = parts.of(look, one)
        same, another = parts.of(look, Visitor(False, "token")) is first, parts.of(look, other) is first
        await live.look(fresh=0)
        return same, another, parts.of(look, one) is first

    assert asyncio.run(shown()) == (True, False, False)


@pytest.mark.parametrize("name", ["idle", "a mode", "a long run", "held", "low memory"])
def test_how_busy_the_gpu_is_is_said_once(name: str) -> None:
    with state(name) as page:
        text = TestClient(page).get("/").text
    assert len(re.findall(r"GPU \d+ %", text)) == 1


def test_a_stop_is_confirmed_as_all_else_is(tmp_path: Path) -> None:
    on = machine()
    asked(on, tmp_path, OMNI)
    page = Page(on, tmp_path)
    page.posts("/stop", page.form("/plan?verb=stop"))
    digest = digest_of(SimulatedSession(on, tmp_path).plan(StopRequest()))
    assert page.done
    assert page.done["words"] == ["stop", "--format", "jsonl", "--no-input", f"--expect={digest}"]
