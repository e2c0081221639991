"""How the server wraps its answers: aiohttp's headers, its plain 500, the origin check, each route under /api too."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from comfy_double.house import House

Handler = Callable[[House, Request], Awaitable[Response]]
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self' data:; frame-src 'self'; object-src 'self';"
)
BROKEN = "500 Internal Server Error\n\nServer got itself in trouble"


def answer(content: Any, status: int = 200) -> Response:
    """Return JSON as aiohttp encodes it."""
    return Response(json.dumps(content), status, {"Content-Type": "application/json; charset=utf-8"})


def empty(status: int = 200) -> Response:
    return Response(b"", status)


def routes(house: House, table: dict[str, Handler]) -> list[Route]:
    """Make the routes of ``{"GET /queue": handler}``."""
    made = []
    for name, handler in table.items():
        method, path = name.split(" ")
        paths = (path,) if path.startswith("/api/") else (path, f"/api{path}")
        made += [Route(full, _endpoint(house, name, handler), methods=[method]) for full in paths]
    return made


def _endpoint(house: House, name: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        house.acts.plan.note("request", route=name, path=request.url.path)
        special = await house.acts.at("request", route=name, path=request.url.path)
        if "drop" in special and request.client:
            house.transports[request.client].abort()
        if "status" in special:
            rule = special["status"]
            return Response(rule.get("body", BROKEN), rule.get("status", 500), {"Content-Type": "text/plain"})
        response = await _handled(house, handler, request) if _same_origin(request) else empty(403)
        response.headers["Server"] = "Python/3.11 aiohttp/3.14.5"
        if house.flags.disable_api_nodes and response.status_code != 500:
            response.headers["Content-Security-Policy"] = POLICY
        return response

    return endpoint


async def _handled(house: House, handler: Handler, request: Request) -> Response:
    try:
        return await handler(house, request)
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # what the real handlers raise on nonsense
        house.log.write("ERROR", f"Error handling request from 127.0.0.1\n{error!r}")
        return Response(BROKEN, 500, {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"})


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
