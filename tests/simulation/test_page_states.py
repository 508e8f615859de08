"""The page in each of its states, in Chromium: it serves who cannot see, who has no mouse and who has a small screen as well."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from documents.page import STATES, served, state
from documents.page_pictures import FOLDER, RECORD, file_of, first_pages, made_from
from tests.browsing import SECONDS, chromium, goes, goes_by_keys, new_tab, playwright
from tests.deep import deep

pytestmark = pytest.mark.xdist_group("pictures")  # whose tests share a browser
NARROW: ViewportSize = {"width": 320, "height": 800}
AXE = Axe()
SERIOUS = ("serious", "critical")
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""All of axe's rules that look at colours, which is what differs between light and dark."""
SET, SUMS = ("omni", "training"), ("overhead", "total", "remaining")
PAGES = ("budget?name=omni&name=training", "map", "history", "plan?verb=to&mode=training", "services/omni")
LOOKED_AT = ("switching", "held", "Docker does not answer", "low memory", "rolled back", "against the rules")
"""States whose pages have every element of the others in its place: `make test` looks at no more."""
LEAST_TARGET = 24
INLINE = "td, th, p, li, label, .skip"
"""Where a line of text is what is met."""
SMALL = f"""Array.from(document.querySelectorAll("a, button, input, summary"))
  .filter((one) => one.checkVisibility() && !one.closest("{INLINE}"))
  .filter((one) => one.getBoundingClientRect().height < {LEAST_TARGET})
  .map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def only_tab() -> Iterator[Page]:
    """A tab for all of them: each new one takes as much to begin with as a test does in it."""
    with playwright() as driver, chromium(driver) as browser:
        yield new_tab(browser, viewport=NARROW)


@contextmanager
def shown(tab: Page, name: str, path: str = "", scheme: Literal["light", "dark"] = "light") -> Iterator[str]:
    """Have a tab show a page of a state; yield the address of the first one."""
    with state(name) as page, served(page) as address:
        tab.emulate_media(color_scheme=scheme)
        goes(tab, lambda: f"{address}{path}")
        yield address
        tab.goto("about:blank")


def serious(tab: Page, *rules: str) -> list[str]:
    """Return what is seriously wrong with what a tab shows by axe's rules, or by some of them. It is loaded once for a page."""
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(AXE.axe_script)
    how = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = tab.evaluate(f"axe.run({json.dumps(how)}).then((one) => one.violations)")
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']]}" for one in found if one["impact"] in SERIOUS
    ]


def faults(tab: Page) -> list[str]:
    """Return what is seriously wrong with what a tab shows, and what is wider than it."""
    found = serious(tab)
    if tab.evaluate("document.documentElement.scrollWidth") > NARROW["width"]:
        found.append("it scrolls sideways")
    return found + [f"too small to be met: {one}" for one in tab.evaluate(SMALL)]


@pytest.mark.parametrize("name", [pytest.param(one, marks=() if one in LOOKED_AT else deep) for one in STATES])
def test_in_every_state_the_first_page_is_for_everybody_and_for_a_small_screen(only_tab: Page, name: str) -> None:
    with shown(only_tab, name):
        light = faults(only_tab)
        only_tab.emulate_media(color_scheme="dark")
        assert (light, serious(only_tab, *OF_COLOURS)) == ([], [])


def test_so_are_the_others(only_tab: Page) -> None:
    found = {}
    with shown(only_tab, "a long run", scheme="dark") as address:
        for path in PAGES:
            only_tab.goto(f"{address}{path}")
            found[path] = faults(only_tab)
    assert found == {path: [] for path in PAGES}


def test_the_budget_builder_reckons_at_each_tick_by_keys_alone(only_tab: Page) -> None:
    with shown(only_tab, "a mode", "budget") as address:
        boxes = only_tab.locator("#ticks input")
        goes_by_keys(only_tab, boxes.first)
        for place in range(boxes.count()):
            if place:
                only_tab.keyboard.press("Tab")
            if only_tab.evaluate("document.activeElement.value") in SET:
                only_tab.keyboard.press("Space")
        reckoned = only_tab.locator("#reckoned:not(.stale)")
        expect(reckoned.locator("tr")).to_have_count(len(SET) + len(SUMS), timeout=SECONDS * 1000)
        by_keys = reckoned.inner_text()
        assert [one for one in (*SET, *SUMS) if one not in by_keys] == []
        only_tab.goto(f"{address}budget?{'&'.join(f'name={one}' for one in SET)}")
        assert only_tab.locator("#reckoned").inner_text() == by_keys


def test_the_browser_asks_for_the_tick_before_a_long_run_is_left(only_tab: Page) -> None:
    with shown(only_tab, "a long run", "plan?verb=to&name=audio&name=omni"):
        plan = only_tab.url
        only_tab.locator("form.confirm button").click()
        assert only_tab.evaluate("document.activeElement.name") == "agree", "it leads to what is to be ticked"
        assert only_tab.url == plan


class Places(HTMLParser):
    """Each element of a page with the one that it is in, by what a style or a rule of axe's goes by."""

    ALONE = frozenset({"input", "link", "meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found, self._within = set[tuple[str, str]](), [""]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        classes = sorted((said.get("class") or "").split())
        element = " ".join([tag, *classes, *sorted(one for one in said if one.startswith(("role", "aria-")))])
        self.found.add((self._within[-1], element))
        if tag not in self.ALONE:
            self._within.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._within.pop().partition(" ")[0] == tag


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    """The first page of each state."""
    return first_pages()


def test_the_states_that_are_looked_at_have_every_element_of_the_others_in_its_place(pages: Mapping[str, str]) -> None:
    places = {name: Places(text).found for name, text in pages.items()}
    assert set().union(*places.values()) - set().union(*(places[name] for name in LOOKED_AT)) == set()


def test_the_pictures_of_the_document_are_of_what_the_page_shows_now(pages: Mapping[str, str]) -> None:
    assert RECORD.read_text() == made_from(pages), "it shows something else: make pictures, and look at them"
    assert {*FOLDER.iterdir()} == {RECORD, *map(file_of, (*STATES, "on a phone"))}
