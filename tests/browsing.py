"""A page of a lab, as it is run, and Chromium, in which people look at it."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, Playwright, sync_playwright

from tests.engine.lab import Lab

PROGRAM = shutil.which("chromium")
WITHOUT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
)
"""What Playwright leaves out, and what is drawn below the address, where nobody sees it: it took as much as a test does. Of two
such lists Chromium knows the last one alone.
"""
FLAGS = (
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"),
    f"--disable-features={','.join(WITHOUT)}",
)
"""As root there is no sandbox, in a container little shared memory, and nobody else is to be asked for anything."""
SECONDS = 60
"""How long a page may take to show what it is waited for: a machine may be busy."""


class RunningPage:
    """`spark-mode page` at a port of its own, until it is ended."""

    def __init__(self, lab: Lab, *options: str) -> None:
        self._lab = lab
        self.process = lab.spawn("page", "--port", "0", *options, "--format", "jsonl")
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["place"])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def link(self, *options: str) -> str:
        """Return what opens the page once."""
        url = self._lab.run("page", "link", "--port", str(self.port), *options, "--format", "json").json["url"]
        assert isinstance(url, str)
        return url

    def kill(self) -> None:
        """Have it end as a crash does."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it, if it still runs."""
        self.process.terminate()
        self.process.communicate(timeout=SECONDS)


@contextmanager
def running_page(lab: Lab, *options: str) -> Iterator[RunningPage]:
    """Run a page of a lab."""
    one = RunningPage(lab, *options)
    try:
        yield one
    finally:
        one.end()


@contextmanager
def playwright() -> Iterator[Playwright]:
    """Have what drives Chromium; a process can have one at a time. Skips the test where there is no Chromium."""
    if PROGRAM is None:
        pytest.skip("chromium is not here: make chromium")
    with sync_playwright() as driver:
        yield driver


@contextmanager
def chromium(driver: Playwright, *flags: str, program: str | None = PROGRAM) -> Iterator[Browser]:
    """Start Chromium."""
    browser = driver.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()


def new_tab(browser: Browser, **how: object) -> Page:
    """Return a tab that shares nothing with others; `how` is how it is, as Playwright has it. Nothing moves in it: to draw that
    sixty times a second took more than a test.
    """
    context: BrowserContext = browser.new_context(reduced_motion="reduce", **how)  # type: ignore[arg-type]  # whatever it takes
    context.set_default_timeout(SECONDS * 1000)
    return context.new_page()


def goes(tab: Page, address: Callable[[], str]) -> None:
    """Have a tab go to an address, of which another one is asked for where Chromium drops what it loads: at each network of the
    engine that comes or goes beside it.
    """
    try:
        tab.goto(address())
    except Error as error:
        if "ERR_NETWORK_CHANGED" not in error.message:
            raise
        tab.goto(address())


def enter(tab: Page, page: RunningPage, *options: str) -> None:
    """Open a page in a tab by a link of its own."""
    goes(tab, lambda: page.link(*options))


def entered(browser: Browser, page: RunningPage, *options: str, **how: object) -> Page:
    """Return a new tab in which a page was opened by its link."""
    tab = new_tab(browser, **how)
    enter(tab, page, *options)
    return tab


def goes_by_keys(tab: Page, box: Locator) -> None:
    """Go to something as who has no mouse does."""
    for _ in range(40):
        tab.keyboard.press("Tab")
        if box.evaluate("one => one === document.activeElement"):
            return
    pytest.fail("no key leads there")
