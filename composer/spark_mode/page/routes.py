"""What the page shows, and where. No GET changes anything; what a POST asks for is done by the command."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from spark_mode.errors import Refused, SparkModeError, UsageFault
from spark_mode.page import views
from spark_mode.page.access import Visitor
from spark_mode.page.acts import Acts
from spark_mode.page.asked import AskedSwitch
from spark_mode.page.in_thread import in_thread
from spark_mode.page.live import Live
from spark_mode.page.look import fault_of
from spark_mode.page.page_lab import PageLab
from spark_mode.page.plans import ACTIONS, proposal
from spark_mode.page.render import page
from spark_mode.page.stream import EventStream, Parts, told, values
from spark_mode.planning.digest import FORM

STATIC = Path(__file__).parent / "static"
KINDS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


def routes(lab: PageLab) -> Sequence[BaseRoute]:
    """Return all of it, for one lab."""
    pages = Pages(lab)
    return [
        Route("/", pages.now),
        Route("/plan", pages.plan),
        *(Route(f"/{name}", pages.act, methods=["POST"]) for name in ("switch", "stop", "restore", "recover")),
        Route("/release", pages.release, methods=["POST"]),
        Route("/budget", pages.budget),
        Route("/services/{name:path}", pages.service),
        Route("/history", pages.history),
        Route("/history/{switch}", pages.event),
        Route("/map", pages.map),
        Route("/events", pages.events),
        Route("/status.json", pages.status_json),
        Route("/static/{name}", _static),
        Route("/healthz", _healthz),
        Route("/{path:path}", pages.nothing),
    ]


class Pages:
    """The pages of one lab, and what they share: one observer, and the commands that were begun here."""

    def __init__(self, lab: PageLab) -> None:
        self._lab, self._live = lab, Live(lab)
        self._parts = Parts(self._live)
        self._acts = Acts(lab, self._live.hint)

    async def now(self, request: Request) -> Response:
        look = await self._live.look_now()
        known = values(look, self._live, request.state.visitor)
        outcome = self._acts.outcome(request.query_params.get("act", ""))
        return _html(request, "now.html", self._lab.folder, here="now", outcome=outcome, reckoned=None, ticked=(), **known)

    async def plan(self, request: Request) -> Response:
        query = {key: request.query_params.getlist(key) for key in request.query_params}
        outcome = self._acts.outcome(request.query_params.get("act", ""))
        try:
            found = await in_thread(proposal, self._lab, AskedSwitch.of(query))
        except SparkModeError as error:
            return _mistake(request, self._lab, error)
        known: dict[str, Any] = {**found.values(), "outcome": outcome}
        known["may"] = found.may and not request.state.visitor.read_only
        return _html(request, "plan.html", self._lab.folder, here="plan", **known)

    async def act(self, request: Request) -> Response:
        """Have a confirmed plan carried out, if it still is the same, and lead to where it can be followed."""
        form: dict[str, list[str]] = request.state.form
        try:
            asked = AskedSwitch.of(form)
            if request.url.path.rpartition("/")[2] != ACTIONS[asked.verb]:
                raise UsageFault("this form asks for something else than its address does", "begin at the first page")
            return await self._begun((*asked.words, *_how(asked, form)), "" if asked.verb == "recover" else asked.query)
        except SparkModeError as error:
            return _mistake(request, self._lab, error)

    async def release(self, request: Request) -> Response:
        try:
            return await self._begun(("release", "--format", "json"))
        except SparkModeError as error:
            return _mistake(request, self._lab, error)

    async def _begun(self, words: tuple[str, ...], plan: str = "") -> Response:
        """Begin a command, and lead to where it can be followed: the first page, or the `plan` that was refused."""
        name, outcome = await self._acts.begin(words)
        self._live.hint()
        if outcome is None or outcome.code == 0:
            return RedirectResponse("./", 303)
        where = f"plan?{plan}&" if plan and outcome.code == Refused.exit_code else "./?"
        return RedirectResponse(f"{where}{urlencode({'act': name})}", 303)

    async def budget(self, request: Request) -> Response:
        names, mistake = request.query_params.getlist("name"), None
        try:
            known = await in_thread(views.budget, self._lab, names)
        except SparkModeError as error:
            known, mistake = {"workloads": (), "reckoned": None}, fault_of(error)
        return _html(request, "budget.html", self._lab.folder, here="budget", ticked=names, mistake=mistake, **known)

    async def service(self, request: Request) -> Response:
        name, visitor = request.path_params["name"], request.state.visitor
        return await self._shown(
            request, "service.html", lambda: views.service(self._lab, name, not visitor.read_only), name=name
        )

    async def history(self, request: Request) -> Response:
        return await self._shown(request, "history.html", lambda: {"look": {"history": views.past(self._lab), "fault": None}})

    async def event(self, request: Request) -> Response:
        return await self._shown(request, "event.html", lambda: views.event(self._lab, request.path_params["switch"]))

    async def map(self, request: Request) -> Response:
        return await self._shown(request, "map.html", lambda: views.card(self._lab))

    async def _shown(self, request: Request, template: str, see: Callable[[], dict[str, Any]], **more: Any) -> Response:
        try:
            known = await in_thread(see)
        except SparkModeError as error:
            return _mistake(request, self._lab, error)
        here = template.partition(".")[0]
        return _html(request, template, self._lab.folder, here=here, mistake=None, **known, **more)

    async def nothing(self, request: Request) -> Response:
        return _mistake(request, self._lab, UsageFault("there is no such page", "begin at the first page"))

    async def events(self, request: Request) -> Response:
        return EventStream(told(self._live, self._parts, request.state.visitor))

    async def status_json(self, request: Request) -> Response:  # noqa: ARG002 - as every route
        try:
            return JSONResponse(await in_thread(views.status_json, self._lab))
        except SparkModeError as error:
            found = fault_of(error)
            return JSONResponse({"error": {"message": found.message, "hint": found.hint, "exit_code": found.code}}, 503)


def _how(asked: AskedSwitch, form: dict[str, list[str]]) -> tuple[str, ...]:
    """Return how a command carries out what was confirmed: that plan and no other, and a long run is stopped only if that was
    ticked. Raises UsageFault for a form that has seen no plan.
    """
    if asked.verb == "recover":
        return ("--format", "jsonl")
    agreed = "--yes" if form.get("agree") else "--no-input"
    expect = form.get("expect", [""])[0]
    if not re.fullmatch(FORM, expect):
        raise UsageFault("this form has no plan that was shown", "begin at the first page")
    return ("--format", "jsonl", agreed, f"--expect={expect}")


def _mistake(request: Request, lab: PageLab, error: SparkModeError) -> Response:
    code = {UsageFault.exit_code: 404}.get(error.exit_code, 503)
    return _html(request, "mistake.html", lab.folder, code, here="", mistake=fault_of(error))


def _html(request: Request, template: str, folder: str, code: int = 200, **known: Any) -> Response:
    visitor: Visitor = request.state.visitor
    return HTMLResponse(page(template, **{"lab": folder, "visitor": visitor, "up": _up(request), **known}), code)


def _up(request: Request) -> str:
    """Return the way up to the first page, from where the browser is: all links are relative, so that any prefix works."""
    path: bytes = request.scope.get("raw_path", request.url.path.encode())
    return "../" * (path.partition(b"?")[0].count(b"/") - 1)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    kind = KINDS.get(name)
    return Response((STATIC / name).read_bytes(), media_type=kind) if kind else PlainTextResponse("not here\n", 404)


async def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok\n")
