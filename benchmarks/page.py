"""What the page costs: `make bench`.

How soon it answers first once it has started, what it holds after twenty switches with five open tabs, and what it does while
nobody looks: how often it wakes up, and how much of a core it takes.
"""

import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import Page

from tests.browsing import RunningPage, chromium, entered, playwright, running_page
from tests.engine.lab import Lab

PROJECT = "spark-mode-test-bench-page"
SWITCHES, TABS, RUNS = 20, 5, 5
QUIET_SECONDS, IDLE_SECONDS = 10.0, 60.0
MODES = ("audio omni", "audio xtts")


def first_answer(lab: Lab) -> float:
    """Return the milliseconds until a page that has just started has answered with all of its first page."""
    with running_page(lab) as page:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        link, begun = page.link(), time.monotonic()
        opener.open(link).read()
        return 1000 * (time.monotonic() - begun)


def switch(tab: Page, origin: str, mode: str) -> None:
    """Ask for a mode from the page, and see that it runs."""
    tab.goto(f"{origin}/")
    tab.locator("#modes").get_by_role("link", name=mode, exact=True).click()
    tab.locator("form.confirm button").click()
    tab.locator("#modes .current", has_text=mode).wait_for()


def wake_ups(process: psutil.Process) -> int:
    """Return how often all threads of a process have gone to sleep by themselves."""
    found = 0
    for status in Path(f"/proc/{process.pid}/task").glob("*/status"):
        found += int(status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


def idle(page: RunningPage) -> tuple[float, float]:
    """Return wake-ups a second and the percent of a core that a page takes while nobody looks."""
    time.sleep(QUIET_SECONDS)  # what the last tab has left behind comes to its end
    process = psutil.Process(page.process.pid)
    woken, spent = wake_ups(process), sum(process.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    return (wake_ups(process) - woken) / IDLE_SECONDS, 100 * (sum(process.cpu_times()[:2]) - spent) / IDLE_SECONDS


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(PROJECT, Path(folder))
        lab.forked = False  # its memory is measured
        try:
            lab.run("audio", "omni")
            taken = [first_answer(lab) for _ in range(RUNS)]
            print(f"the page: first answer {statistics.median(taken):.0f} ms (at most {max(taken):.0f}) once it has started")
            with running_page(lab) as page:
                held = psutil.Process(page.process.pid)
                print(f"the page: {held.memory_info().rss / 1e6:.0f} MB when it has started")
                with playwright() as driver, chromium(driver) as browser:
                    tabs = [entered(browser, page) for _ in range(TABS)]
                    for number in range(SWITCHES):
                        switch(tabs[0], page.origin, MODES[1 - number % 2])
                    print(f"the page: {held.memory_info().rss / 1e6:.0f} MB after {SWITCHES} switches with {TABS} open tabs")
                woken, spent = idle(page)
                print(f"the page: {woken:.2f} wake-ups a second and {spent:.2f} % of a core while nobody looks")
        finally:
            lab.down()


if __name__ == "__main__":
    main()
