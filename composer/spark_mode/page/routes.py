"""What the page shows, and where."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


def routes() -> Sequence[BaseRoute]:
    """Return all of it."""
    return [Route("/", _now), Route("/healthz", _healthz)]


async def _now(_: Request) -> Response:
    return PlainTextResponse("here I am\n")


async def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok\n")
