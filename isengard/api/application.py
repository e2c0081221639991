"""Puts the routes, the guards and the error pages together."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from isengard.api import (
    characters,
    datasets,
    docs,
    doctor,
    jobs,
    library,
    problems,
    schema,
    synthetic,
    system,
    wildcards,
)
from isengard.api.door import Door
from isengard.api.forwarded import Forwarded
from isengard.api.limits import Limits, Often
from isengard.api.login import LogIn
from isengard.api.login import router as login_routes
from isengard.api.middleware import Correlation
from isengard.api.response_headers import ResponseHeaders
from isengard.api.sites import OwnSite
from isengard.config import Settings
from isengard.infra.rates import Rates
from isengard.services.house import Isengard

ABOUT = "From photos of a character to an identity LoRA to images. Errors are RFC 9457 problem details with a hint."
SHARED = "https://*.gradio.live"  # where --share's public links are
UPLOADS = re.compile(r"/api/(characters/[^/]+/images|generation/images|loras)(/.*)?")
JOBS = re.compile(r"/api/(training|generation|characters/[^/]+/synthetic|models/[^/]+/download|[a-z]+/[^/]+/retry)")
SCREEN = re.compile(r"/gradio_api/queue/join")
CLICKS_PER_MINUTE = 1200  # a click, a tab that opens, a slider that is dragged

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Guards:
    """What stands before the routes. ``login`` is None where no password is asked for."""

    rates: Rates
    login: LogIn | None
    share: bool = False


def make_api(isengard: Isengard, settings: Settings, screen: ASGIApp, lifespan: Lifespan, guards: Guards) -> FastAPI:
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
    api.include_router(datasets.router(isengard))
    api.include_router(synthetic.router(isengard))
    api.include_router(doctor.router(isengard))
    for routes in [*jobs.routers(isengard), *library.routers(isengard), *wildcards.routers(isengard)]:
        api.include_router(routes)
    if guards.login:
        api.include_router(login_routes(guards.login))
    api.mount("/", screen)
    schema.install(api)
    _guard(api, settings, guards)
    return api


def _guard(api: FastAPI, settings: Settings, guards: Guards) -> None:
    """Put the guards around everything, the innermost first."""
    often = (
        Often("uploads", UPLOADS, settings.uploads_per_minute),
        Often("jobs", JOBS, settings.jobs_per_minute),
        Often("clicks", SCREEN, CLICKS_PER_MINUTE),
    )
    api.add_middleware(Limits, rates=guards.rates, kinds=often)
    if guards.login:
        api.add_middleware(Door, login=guards.login)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Correlation-ID", "Last-Event-ID"],
            expose_headers=["X-Correlation-ID"],
        )
    reached_at = (*settings.reached_at, *((SHARED,) if guards.share else ()))
    guarded = guards.login is not None
    api.add_middleware(OwnSite, friends=settings.cors_origins, reached_at=reached_at, guarded=guarded)
    api.add_middleware(ResponseHeaders)
    api.add_middleware(Forwarded, proxies=settings.trusted_proxies, public_urls=reached_at)
    api.add_middleware(Correlation)
