"""The door of the page: every request comes through here, and every answer leaves through here."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from email.utils import formatdate
from functools import partial
from html import escape
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spark_mode.page.access import SESSION_SECONDS, Access, Asked, Denied, Visitor, cookie_name, is_open
from spark_mode.page.hosts import Address
from spark_mode.page.over import Over

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer, whatever it is. There is none that lets another origin read (CORS), and none is ever added."""
LARGEST = 16 * 1024
BODY_SECONDS = 5.0
MOST_FIELDS = 200
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
DENIED = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{status}: {message}</title>
<main><h1>{message}</h1><p>{hint}</p>{again}</main></html>
"""
AGAIN = '<p><a href="{root}">Go to the page</a></p>'
"""Who follows a link out of another page is sent without the cookie (SameSite), and has it by this one."""


def peer_of(scope: Scope) -> int | None:
    """Return who holds the other end of the connection, as serve.py found it."""
    peer = scope.get("state", {}).get("peer")
    return peer if isinstance(peer, int) else None


def guarded(
    routes: Sequence[BaseRoute],
    access: Access,
    lifespan: Lifespan | None = None,
    peer: Callable[[Scope], int | None] = peer_of,
    now: Callable[[], float] = time.monotonic,
) -> "Door":
    """Return the page with its door. A route finds who has come in as `request.state.visitor`, and what a POST sent, as
    lists by name, as `request.state.form`: the body is read here, because what makes a form ours stands in it.
    """
    page = Starlette(routes=routes, lifespan=lifespan)
    page.router.redirect_slashes = False  # it would name an address in full, which is another one before a proxy
    return Door(page, access, peer, now)


class Door:
    """What stands before the page."""

    def __init__(self, page: Starlette, access: Access, peer: Callable[[Scope], int | None], now: Callable[[], float]) -> None:
        self.page, self._access, self._peer, self._now = page, access, peer, now
        self.over = Over(now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.page(scope, receive, send)
        elif scope["type"] == "http":
            answer = _with_headers(send)
            try:
                inside = await self._come_in(Request(scope, receive))
            except Denied as denied:
                inside = _said(denied, "../" * (scope["path"].count("/") - 1) or "./")
            visitor = scope.get("state", {}).get("visitor")
            if not isinstance(visitor, Visitor):
                await inside(scope, receive, answer)
            else:
                await self.over.answer(inside, scope, receive, answer, visitor.until, partial(self._access.is_in, visitor))

    async def _come_in(self, request: Request) -> ASGIApp:
        """Return what answers: the page, where whoever asks may come in. Raises Denied where not."""
        host = self._access.require_welcome(_asked(request, self._peer(request.scope)))
        if request.scope.get("state", {}).get("full"):
            raise Denied(503, "More is open here than the page answers at once.", "Close some of its tabs, and reload.")
        if request.scope["path"] == "/link":
            return self._redeem(request, host)
        if is_open(request.scope["path"]) and request.method != "POST":
            return self.page
        visitor = self._visitor(request, host)
        if request.method == "POST":
            request.state.form = await _form(request)
            self._access.require_may_act(visitor, request.state.form)
        request.state.visitor = visitor
        return self.page

    def _visitor(self, request: Request, host: Address) -> Visitor:
        return self._access.visitor(request.cookies.get(cookie_name(host, self._access.behind)), self._now())

    def _redeem(self, request: Request, host: Address) -> Response:
        """Take a link, give a cookie, and lead to an address without the link in it."""
        if request.method != "GET" or "prefetch" in request.headers.get("sec-purpose", ""):
            raise Denied(405, "A link is opened, and nothing else.", "Open it in a browser.")
        session = self._access.redeem(request.query_params.get("token", ""), self._now())
        answer = RedirectResponse("./", 303)
        behind = self._access.behind
        answer.set_cookie(
            cookie_name(host, behind),
            session,
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="strict",
            secure=behind is not None and host.name == behind.name,
        )
        return answer


def _asked(request: Request, uid: int | None) -> Asked:
    headers = request.headers
    return Asked(
        uid=uid,
        method=request.method,
        hosts=headers.getlist("host"),
        origin=headers.get("origin"),
        site=headers.get("sec-fetch-site"),
        mode=headers.get("sec-fetch-mode"),
    )


async def _form(request: Request) -> dict[str, list[str]]:
    """Read a form as browsers send it. Raises Denied for one that is too large, takes too long, or is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Denied(415, "This is no form.", "Go back to the page.")
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > LARGEST:
                    raise Denied(413, "This form is too large.", "Go back to the page.")
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except TimeoutError:
        raise Denied(408, "The form took too long to arrive.", "Go back, and try again.") from None
    except (ClientDisconnect, ValueError):
        raise Denied(400, "This form cannot be read.", "Go back to the page.") from None


def _said(denied: Denied, root: str) -> Response:
    """Return the answer to who is not let in, with the way to the `root` of the page, wherever a proxy shows it.

    The connection ends with it: what else comes on it is read by nobody.
    """
    text = DENIED.format(
        status=denied.status,
        message=escape(denied.message),
        hint=escape(denied.hint),
        again=AGAIN.format(root=root) if denied.status == 401 else "",
    )
    return HTMLResponse(text, denied.status, {"Connection": "close"})


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update({**HEADERS, "Date": formatdate(usegmt=True)})
        await send(message)

    return with_headers
