"""The screen's place: REST answers at once, the screen (two seconds of imports) comes in when it is ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from fastapi import FastAPI
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

log = structlog.get_logger("web.screen")
_WAIT = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<meta name="viewport" content="width=device-width"><title>Isengard</title>
<style>:root{color-scheme:light dark;font:18px/1.5 system-ui}body{display:grid;place-items:center;height:90vh}</style>
<p>Isengard is starting …</p></html>"""
_BROKEN = "The screen could not be built; the REST API works. See the web log, and /docs."


class LateScreen:
    """An ASGI app that shows a waiting page until the real one is there."""

    def __init__(self, load: Callable[[], FastAPI]) -> None:
        self._load = load
        self._app: ASGIApp | None = None
        self._failed = False
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, by the screen or in its place."""
        if self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            waiting = HTMLResponse(_WAIT, 503, headers={"Retry-After": "1"})
            answer = PlainTextResponse(_BROKEN, 500) if self._failed else waiting
            await answer(scope, receive, send)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Load in the background for as long as this lasts; the screen's own start and end run inside."""
        task = asyncio.create_task(self._live())
        try:
            yield
        finally:
            self._closing.set()
            await task

    async def _live(self) -> None:
        try:
            web = await asyncio.to_thread(self._load)
            async with web.router.lifespan_context(web):
                self._app = web
                log.info("screen.ready")
                await self._closing.wait()
        except Exception:
            self._failed = True
            log.exception("screen.failed")
