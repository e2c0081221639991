"""A web app that tells what reached it, and a way to ask it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what the request looks like behind the guard under test."""
    request = Request(scope, receive)
    told = {
        "scheme": scope["scheme"],
        "client": scope["client"][0],
        "headers": dict(request.headers),
        "bytes": len(await request.body()),
    }
    await Response(json.dumps(told), media_type="application/json")(scope, receive, send)


def ask(app: ASGIApp, method: str = "GET", path: str = "/", client: str = "203.0.113.9", **told: Any) -> httpx.Response:
    """Send one request straight into an app, from an address of one's choice."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as http:
            return await http.request(method, path, **told)

    return asyncio.run(one())
