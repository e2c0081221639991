"""Puts the routes, the guards and the error pages together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.types import ASGIApp

from isengard.api import characters, docs, jobs, library, problems, system
from isengard.api.middleware import Correlation, Guard
from isengard.config import Settings
from isengard.services.house import Isengard

ABOUT = "From photos of a character to an identity LoRA to images. Errors are RFC 9457 problem details with a hint."
MAX_REQUEST_MB = 4200  # a LoRA import; pictures are held to ISENGARD_MAX_UPLOAD_MB each

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_api(isengard: Isengard, settings: Settings, screen: ASGIApp, lifespan: Lifespan) -> FastAPI:
    """Return the web app: REST routes first, then the screen under everything else."""
    api = FastAPI(
        title="Isengard",
        version=isengard.system.version,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(api)
    docs.install(api)
    api.include_router(system.router(isengard))
    api.include_router(characters.router(isengard))
    for routes in [*jobs.routers(isengard), *library.routers(isengard)]:
        api.include_router(routes)
    api.mount("/", screen)
    password = settings.password.get_secret_value() if settings.password else None
    api.add_middleware(Guard, upload_limit_mb=MAX_REQUEST_MB, password=password)
    api.add_middleware(Correlation)
    return api
