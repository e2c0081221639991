"""Routes of the house itself, and video's 501."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from isengard.api import events
from isengard.api.problems import responses
from isengard.errors import NotImplementedYet
from isengard.services.house import Isengard


def router(isengard: Isengard) -> APIRouter:
    """Return /health, /info, /metrics, /api/events and /api/video."""
    routes, system = APIRouter(tags=["system"]), isengard.system

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Say that the process serves."""
        return system.health()

    @routes.get("/health/ready", responses={503: {"description": "Some part is not ready; its reason is given."}})
    def ready() -> JSONResponse:
        """Check volume, queue, event reader and workers."""
        found = system.ready()
        return JSONResponse(found, 200 if found["ready"] else 503)

    @routes.get("/info")
    def info() -> dict[str, Any]:
        """Return version, mode, capabilities and the state of every backend."""
        return system.info()

    @routes.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Return Prometheus metrics."""
        return Response(system.metrics(), media_type=CONTENT_TYPE_LATEST)

    _video(routes)

    @routes.get("/api/events", response_class=StreamingResponse)
    async def follow_all() -> StreamingResponse:
        """Follow all jobs by server-sent events, from now on."""
        return events.of_all(isengard.jobs)

    return routes


def _video(routes: APIRouter) -> None:
    def video() -> None:
        """Not built yet."""
        raise NotImplementedYet("Video is in development.", "Images work today; see /api/generation.")

    for method in ("GET", "POST", "PATCH", "DELETE"):
        for path in ("/api/video", "/api/video/{rest:path}"):
            routes.add_api_route(path, video, methods=[method], status_code=501, responses=responses(501))
