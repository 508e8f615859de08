"""The pictures of docs/page.md: what Chromium shows of the page of a simulated Spark. `make pictures` takes them anew.

No two versions of Chromium draw alike, so what tells whether they are fresh is what they were taken of: `made-from.txt`.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize
from starlette.testclient import TestClient

from documents.page import STATES, served, state
from documents.spark import ROOT
from tests.browsing import chromium, playwright

FOLDER = ROOT / "docs/page"
RECORD = FOLDER / "made-from.txt"
STYLE = ROOT / "composer/spark_mode/page/static/page.css"
WHOLE, ON_A_PHONE = "a mode", "switching"
OTHER_EACH_TIME = r"(?<=history/)[0-9a-f]+|(?<=process )\d+|(?<=class=\"took\">)\d+"
"""The names of switches, the numbers of processes, and how long a step has been seen to run."""
WIDE: ViewportSize = {"width": 960, "height": 700}
PHONE: ViewportSize = {"width": 390, "height": 844}


def file_of(name: str) -> Path:
    """Return where the picture of a state is."""
    return FOLDER / f"{name.lower().replace(' ', '-')}.png"


def first_pages() -> dict[str, str]:
    """Return the first page of each state, without what is another each time."""
    return {name: _page_of(name) for name in STATES}


def made_from(pages: Mapping[str, str]) -> str:
    """Return what the pictures are taken of, a line each: the page of each state, and how it is to look."""
    texts = {**pages, "style": STYLE.read_text()}
    return "".join(f"{sha256(text.encode()).hexdigest()}  {name}\n" for name, text in texts.items())


def _page_of(name: str) -> str:
    with state(name) as page:
        text = TestClient(page).get("/").text
    return re.sub(OTHER_EACH_TIME, "", text)


def take() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    with playwright() as driver, chromium(driver) as browser:
        for name in STATES:
            with state(name) as page, served(page) as address:
                _take_of(name, browser, address)
    RECORD.write_text(made_from(first_pages()))


def _take_of(name: str, browser: Browser, address: str) -> None:
    """Take the heading of a state; of one the whole page, and of one what a phone shows as well."""
    tab = _tab(browser, address, WIDE, "light")
    if name == WHOLE:
        tab.screenshot(path=file_of(name), full_page=True)
    else:
        tab.locator("#heading").screenshot(path=file_of(name))
    tab.close()
    if name == ON_A_PHONE:
        tab = _tab(browser, address, PHONE, "dark")
        tab.screenshot(path=file_of("on a phone"))
        tab.close()


def _tab(browser: Browser, address: str, size: ViewportSize, scheme: str) -> Page:
    dark = scheme == "dark"
    tab = browser.new_page(viewport=size, color_scheme="dark" if dark else "light", locale="en-GB", timezone_id="UTC")
    tab.goto(address)
    tab.locator("#theme").wait_for()
    return tab


if __name__ == "__main__":
    take()
