"""What every request to the page passes, tried with Starlette's own client: no socket is opened."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from spark_mode.page.access import MOST_SESSIONS, Access
from spark_mode.page.door import HEADERS, LARGEST, guarded
from spark_mode.page.hosts import Address
from tests.clock import PassingClock

OWNER = 1000
HOST = "http://127.0.0.1:8710"
OURS = {"Sec-Fetch-Site": "same-origin"}


async def who(request: Request) -> Response:
    """Say what a route is told of who has come in."""
    said = request.state.form["said"][0] if request.method == "POST" else ""
    return PlainTextResponse(f"{request.state.visitor.read_only} {request.state.visitor.form_token} {said}")


async def static(_: Request) -> Response:
    return PlainTextResponse("h1 {}")


async def broken(_: Request) -> Response:
    raise RuntimeError("canary")


async def endless(request: Request) -> Response:
    """Answer for as long as somebody listens; where it is the last answer, the page ends in the middle of it."""

    async def parts() -> AsyncIterator[str]:
        yield "first"
        if request.url.path == "/last":
            request.app.state.door.over.come()
        await asyncio.Event().wait()

    return StreamingResponse(parts())


async def ticking(request: Request) -> Response:
    """Say something again and again, also after the session has made room for others."""

    async def parts() -> AsyncIterator[str]:
        yield "first"
        access: Access = request.app.state.access
        for _ in range(MOST_SESSIONS):
            access.redeem(access.new_link(0), 0)
        while True:
            yield "more"
            await asyncio.sleep(0)

    return StreamingResponse(parts())


ROUTES = (
    Route("/ticks", ticking),
    Route("/events", endless),
    Route("/last", endless),
    Route("/", who),
    Route("/switch", who, methods=["POST"]),
    Route("/static/page.css", static),
    Route("/healthz", static),
    Route("/broken", broken),
)


class Page:
    """A page with its door, and a browser before it."""

    def __init__(self, proxy: Address | None = None) -> None:
        self.access, self.clock, self.uid = Access(OWNER, proxy), PassingClock(), OWNER
        self.door = guarded(ROUTES, self.access, peer=lambda _: self.uid, now=self.clock.now)
        self.door.page.state.door, self.door.page.state.access = self.door, self.access
        self.browser = TestClient(self.door, base_url=HOST, follow_redirects=False, raise_server_exceptions=False)

    def opens(self, read_only: bool = False) -> str:
        """Have the browser open a link; return the token for its forms."""
        link = self.access.new_link(self.clock.now(), read_only)
        assert self.browser.get("/link", params={"token": link}).status_code == 303
        return str(self.browser.get("/").text).split()[1]


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page()
    with page.browser:
        yield page


def test_without_a_cookie_all_but_what_says_nothing_is_401(page: Page) -> None:
    for path in ("/", "/broken", "/no-such-thing", "/static", "/healthz/x", "/link/x"):
        assert page.browser.get(path).status_code == 401, path
    assert page.browser.post("/switch", headers=OURS).status_code == 401
    for path in ("/static/page.css", "/healthz"):
        assert page.browser.get(path).status_code == 200, path


def test_a_link_gives_a_cookie_and_leads_to_an_address_without_it(page: Page) -> None:
    link = page.access.new_link(0)
    answer = page.browser.get("/link", params={"token": link})
    assert (answer.status_code, answer.headers["Location"]) == (303, "./")
    cookie = answer.headers["Set-Cookie"].lower()
    assert cookie.startswith("spark-mode-8710=")
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= set(cookie.split("; "))
    assert link not in repr(answer.headers) + answer.text
    assert page.browser.get("/").status_code == 200
    assert page.browser.get("/link", params={"token": link}).status_code == 401


def test_behind_a_proxy_the_cookie_goes_through_tls_alone_and_the_machine_has_one_of_its_own() -> None:
    page = Page(Address("spark.example"))
    for host, name, secure in (
        ("spark.example:8443", "spark-mode-8443", True),
        ("spark.example", "spark-mode-443", True),
        ("localhost", "spark-mode-80", False),
    ):
        link = page.access.new_link(0)
        cookie = page.browser.get("/link", params={"token": link}, headers={"Host": host}).headers["Set-Cookie"].lower()
        assert (cookie.partition("=")[0], "; secure" in cookie) == (name, secure)


def test_a_link_that_is_only_looked_at_stays(page: Page) -> None:
    link = page.access.new_link(0)
    assert page.browser.head("/link", params={"token": link}).status_code == 405
    assert page.browser.get("/link", params={"token": link}, headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 405
    assert page.browser.get("/link", params={"token": link}).status_code == 303


def test_a_session_ends_though_the_browser_keeps_the_cookie(page: Page) -> None:
    page.opens()
    cookies = dict(page.browser.cookies)
    page.clock.sleep(12 * 3600)
    assert page.browser.get("/", headers={"Cookie": "; ".join("=".join(one) for one in cookies.items())}).status_code == 401


def test_a_stream_ends_with_the_session_that_asked_for_it(page: Page) -> None:
    page.opens()
    page.clock.sleep(12 * 3600 - 0.01)
    assert page.browser.get("/events").status_code == 200


def test_a_stream_ends_with_the_page(page: Page) -> None:
    page.opens()
    assert page.browser.get("/last").text == "first"


def test_a_cookie_is_no_use_to_another_user(page: Page) -> None:
    token = page.opens()
    for uid, status in ((OWNER + 1, 403), (0, 200), (OWNER, 200)):
        page.uid = uid
        sent = {"form_token": token, "said": "x"}
        assert page.browser.get("/").status_code == page.browser.post("/switch", data=sent, headers=OURS).status_code == status


def test_who_is_at_the_other_end_is_asked_of_the_connection_and_else_unknown() -> None:
    with TestClient(guarded(ROUTES, Access(OWNER)), base_url=HOST) as browser:
        assert browser.get("/healthz").status_code == 403


def test_a_session_that_has_made_room_for_another_is_told_no_more(page: Page) -> None:
    page.opens()
    assert page.browser.get("/ticks").text == "first"
    assert page.browser.get("/").status_code == 401


def test_a_form_of_the_session_is_read_and_no_other(page: Page) -> None:
    token = page.opens()
    sent = {"form_token": token, "said": "hello"}
    assert page.browser.post("/switch", data=sent, headers=OURS).text.split()[2] == "hello"
    assert page.browser.post("/switch", data=sent, headers={"Origin": HOST}).status_code == 200
    assert page.browser.post("/switch", data=sent).status_code == 403
    assert page.browser.post("/switch", data={"said": "hello"}, headers=OURS).status_code == 403
    assert page.browser.post("/switch", json=sent, headers=OURS).status_code == 415


def test_who_comes_from_another_page_finds_the_way_in_wherever_a_proxy_shows_it(page: Page) -> None:
    """The cookie is not sent with a link that another page has, and is with this one."""
    for path, root in (("/", "./"), ("/map", "./"), ("/services/x", "../"), ("/a/b/c", "../../")):
        assert f'<a href="{root}">' in page.browser.get(path).text


def test_no_answer_leads_to_an_address_in_full(page: Page) -> None:
    """Before a proxy the page has another one, or a longer one."""
    page.opens()
    assert page.browser.get("/broken/").status_code == 404


def test_a_session_that_only_looks_sends_nothing(page: Page) -> None:
    token = page.opens(read_only=True)
    assert page.browser.get("/").text.startswith("True")
    assert page.browser.post("/switch", data={"form_token": token, "said": "x"}, headers=OURS).status_code == 403


def test_a_form_is_bounded(page: Page) -> None:
    token = page.opens()
    assert page.browser.post("/switch", data={"form_token": token, "said": "x" * LARGEST}, headers=OURS).status_code == 413
    many = "&".join(f"a{number}=1" for number in range(1000))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert page.browser.post("/switch", content=many, headers={**OURS, **kind}).status_code == 400
    assert page.browser.post("/switch", content=b"\xff\xfe", headers={**OURS, **kind}).status_code == 400


def test_a_foreign_name_is_answered_nothing(page: Page) -> None:
    token = page.opens()
    for method in ("GET", "POST", "HEAD"):
        answer = page.browser.request(method, "/", headers={**OURS, "Host": "evil.example"}, data={"form_token": token})
        assert answer.status_code == 403


def test_what_is_not_answered_is_said_as_text(page: Page) -> None:
    said = page.browser.get("/", headers={"Host": "x.example"}).text
    assert "--behind https://x.example" in said
    assert "<script" not in page.browser.request("<script>", "/").text


def test_every_answer_has_the_headers_that_protect_it(page: Page) -> None:
    everything = [page.browser.get(path) for path in ("/", "/link", "/static/page.css", "/healthz")]
    token = page.opens()
    everything += [page.browser.get(path) for path in ("/", "/broken", "/nothing")]
    everything += [
        page.browser.post("/switch", data={"form_token": token, "said": "x" * size}, headers=OURS) for size in (1, LARGEST)
    ]
    everything += [page.browser.options("/", headers={"Origin": "https://evil.example"}), page.browser.put("/", headers=OURS)]
    assert {one.status_code for one in everything} == {200, 401, 403, 404, 405, 413, 500} - {403}
    for answer in everything:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "canary" not in answer.text


def test_nothing_on_the_page_is_from_elsewhere_and_nothing_is_in_a_line_of_it() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert not any(one in policy for one in ("unsafe", "http", "*", "data:"))
