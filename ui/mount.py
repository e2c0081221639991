"""Makes the screen a web app of its own, of which no more is open than the page needs."""

from __future__ import annotations

import re

import gradio as gr
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from isengard.services.house import Isengard
from ui import build_ui, mount_options

# Gradio brings routes that upload, fetch, proxy, monitor, run handlers by name and edit code. The page uses these.
OPEN = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/(assets|static)/.*"
    r"|/gradio_api/(queue/(join|data)|heartbeat/\w+|startup-events|cancel|reset|theme\.css)"
)


class OnlyWhatThePageNeeds:
    """Answers 404 to all other paths, those that a later Gradio adds included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "http" and not OPEN.fullmatch(scope["path"]):
            await PlainTextResponse("There is nothing here.", 404)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def mounted(isengard: Isengard, *, guarded: bool) -> FastAPI:
    """Return a web app with the screen at its root and no cross-origin access."""
    web = FastAPI(openapi_url=None)
    # With a CORS policy on the parent, Gradio adds none of its own, which would reflect any origin.
    web.add_middleware(CORSMiddleware, allow_origins=[])
    web.add_middleware(OnlyWhatThePageNeeds)
    gr.mount_gradio_app(web, build_ui(isengard, guarded=guarded), path="/", **mount_options())
    return web
