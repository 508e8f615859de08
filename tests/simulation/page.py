"""The page of a simulated lab, and a browser before it; what it has done is done by a program of the test's own."""

import html
import json
import re
import sys
from pathlib import Path

from starlette.testclient import TestClient

from spark_mode.page.access import Access
from spark_mode.page.door import guarded
from spark_mode.page.page_lab import PageLab
from spark_mode.page.routes import routes
from tests.clock import PassingClock
from tests.simulation.lab import SimulatedSession
from tests.simulation.machine import SimulatedMachine

OURS = {"Sec-Fetch-Site": "same-origin"}
PROGRAM = """
import json, os, sys
place, code, said = sys.argv[1:4]
with open(place, "w") as file:
    json.dump({"words": sys.argv[4:], "session": os.getsid(0), "pid": os.getpid()}, file)
if code != "0":
    print(json.dumps({"event": "ended", "error": {"message": said, "hint": "and then"}}))
sys.exit(int(code))
"""
_FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


class Page:
    """A page at which somebody looks, `read_only` or not; what it has done ends with a `code`, and `says` why."""

    def __init__(
        self,
        on: SimulatedMachine,
        folder: Path,
        read_only: bool = False,
        code: int = 0,
        says: str = "no",
        program: str = sys.executable,
    ) -> None:
        self._done, self.opened = folder / "done.json", 0

        def session() -> SimulatedSession:
            self.opened += 1
            return SimulatedSession(on, folder)

        command = (program, "-c", PROGRAM, str(self._done), str(code), says)
        self.lab = PageLab(session, command, "/home/ann/lab")
        access, clock = Access(1000), PassingClock()
        app = guarded(routes(self.lab), access, peer=lambda _: 1000, now=clock.now)
        self._browser = TestClient(app, base_url="http://127.0.0.1:8710", follow_redirects=False)
        self._browser.get("/link", params={"token": access.new_link(clock.now(), read_only)})

    def html(self, path: str = "/", code: int = 200) -> str:
        """Return what a page is, as it was sent."""
        answer = self._browser.get(path)
        assert answer.status_code == code, answer.text
        return str(answer.text)

    def text(self, path: str = "/", code: int = 200) -> str:
        """Return what is read on a page."""
        return " ".join(html.unescape(re.sub(r"<title>.*?</title>|<[^>]*>", " ", self.html(path, code), flags=re.S)).split())

    def heading(self) -> str:
        """Return the heading of the first page."""
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.html(), re.S)
        assert found
        return html.unescape(re.sub("<[^>]*>", " ", found[1])).strip()

    def form(self, path: str) -> dict[str, list[str]]:
        """Return the fields that a page's form sends as it stands, with nothing ticked."""
        found: dict[str, list[str]] = {}
        confirm = self.html(path).partition('class="confirm"')[2]
        for name, value in _FIELD.findall(re.sub(r'<input type="checkbox"[^>]*>', "", confirm)):
            found.setdefault(name, []).append(html.unescape(value))
        return found

    def posts(self, path: str, form: dict[str, list[str]]) -> tuple[int, str]:
        """Send a form; return the status, and where it leads."""
        answer = self._browser.post(path, data=form, headers=OURS)
        return answer.status_code, answer.headers.get("location", "")

    @property
    def done(self) -> dict[str, object] | None:
        """What the command that was begun knows of itself: its words, and its session; None where none was."""
        if not self._done.exists():
            return None
        found: dict[str, object] = json.loads(self._done.read_text())
        return found
