"""Makes the screen a web app of its own."""

from __future__ import annotations

import gradio as gr
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from isengard.services.house import Isengard
from ui import build_ui, mount_options


def mounted(isengard: Isengard) -> FastAPI:
    """Return a web app with the screen at its root and no cross-origin access."""
    web = FastAPI(openapi_url=None)
    # With a CORS policy on the parent, Gradio adds none of its own, which would reflect any origin.
    web.add_middleware(CORSMiddleware, allow_origins=[])
    gr.mount_gradio_app(web, build_ui(isengard), path="/", **mount_options())
    return web
