"""Around every request, Gradio's included: its id and its log line."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isengard.api.problems import unforeseen
from isengard.observability import request_context

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
log = structlog.get_logger("api")


class Correlation:
    """Binds the correlation id, answers with it, and writes one line a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        service = "api" if path.startswith("/api/") else "web"
        started = time.perf_counter()
        status = 0
        with request_context(service, Headers(scope=scope).get("x-correlation-id")) as identifier:

            async def answer(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    MutableHeaders(scope=message)["X-Correlation-ID"] = identifier
                await send(message)

            try:
                await self._app(scope, receive, answer)
            except asyncio.CancelledError:  # the server stops, and has waited for open streams as long as it does
                if status:
                    await answer({"type": "http.response.body"})
                else:
                    await PlainTextResponse("Isengard is stopping.", 503)(scope, receive, answer)
            except Exception as error:  # here, where the id is still bound that the answer names
                failure = unforeseen(error)
                if status:
                    raise
                await failure(scope, receive, answer)
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            tell = log.info if scope["method"] in UNSAFE or status >= HTTPStatus.BAD_REQUEST else log.debug
            tell("request", method=scope["method"], path=path, status=status, ms=milliseconds)
