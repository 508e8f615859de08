"""The page in each of its states, in Chromium: it serves who cannot see, who has no mouse and who has a small screen as well."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize

from documents.page import STATES, served, state
from documents.page_pictures import FOLDER, RECORD, file_of, made_from
from tests.browsing import chromium, playwright

pytestmark = pytest.mark.xdist_group("pictures")  # whose tests share a browser
NARROW: ViewportSize = {"width": 320, "height": 800}
SERIOUS = ("serious", "critical")
PAGES = ("budget?name=omni&name=training", "map", "history", "plan?verb=stop", "plan?verb=to&mode=training", "services/omni")
LEAST_TARGET = 24
INLINE = "td, th, p, li, label, .skip"
"""Where a line of text is what is met."""
SMALL = f"""Array.from(document.querySelectorAll("a, button, input, summary"))
  .filter((one) => one.checkVisibility() && !one.closest("{INLINE}"))
  .filter((one) => one.getBoundingClientRect().height < {LEAST_TARGET})
  .map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright() as driver, chromium(driver) as one:
        yield one


def faults(tab: Page) -> list[str]:
    """Return what is seriously wrong with what a tab shows, and what is wider than it."""
    found = [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']]}"
        for one in Axe().run(tab).response["violations"]
        if one["impact"] in SERIOUS
    ]
    if tab.evaluate("document.documentElement.scrollWidth") > NARROW["width"]:
        found.append("it scrolls sideways")
    return found + [f"too small to be met: {one}" for one in tab.evaluate(SMALL)]


@pytest.mark.parametrize("name", STATES)
def test_in_every_state_the_first_page_is_for_everybody_and_for_a_small_screen(browser: Browser, name: str) -> None:
    with state(name) as page, served(page) as address, browser.new_context(viewport=NARROW, color_scheme="light") as tabs:
        tab = tabs.new_page()
        tab.goto(address)
        light = faults(tab)
        tab.emulate_media(color_scheme="dark")
        assert (light, faults(tab)) == ([], [])


def test_so_are_the_others(browser: Browser) -> None:
    with state("a long run") as page, served(page) as address, browser.new_context(viewport=NARROW, color_scheme="dark") as tabs:
        tab, found = tabs.new_page(), {}
        for path in PAGES:
            tab.goto(f"{address}{path}")
            found[path] = faults(tab)
        assert found == {path: [] for path in PAGES}


def test_the_pictures_of_the_document_are_of_what_the_page_shows_now() -> None:
    assert RECORD.read_text() == made_from(), "it shows something else: make pictures, and look at them"
    assert {*FOLDER.iterdir()} == {RECORD, *map(file_of, (*STATES, "on a phone"))}
