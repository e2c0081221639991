"""Routes of the house itself, and video's 501."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST

from isengard.api import events
from isengard.api.problems import responses
from isengard.errors import NotImplementedYet
from isengard.services.alerts import AlertSettings
from isengard.services.cleanup import Policy
from isengard.services.house import Isengard
from isengard.services.system import Overview, System


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

    _care(routes, system)
    _video(routes)

    @routes.get("/api/events", response_class=StreamingResponse)
    async def follow_all() -> StreamingResponse:
        """Follow all jobs by server-sent events, from now on."""
        return events.of_all(isengard.jobs)

    return routes


def _care(routes: APIRouter, system: System) -> None:
    @routes.get("/api/system")
    def overview(*, fresh: bool = False) -> Overview:
        """Return health, room, clean-up rules, alerts and what the last jobs cost; ``fresh`` measures the room now."""
        return system.overview(fresh=fresh)

    @routes.post("/api/system/clean-up/{rule}", responses=responses(404))
    def clean_up(rule: str) -> Policy:
        """Follow a clean-up rule; return what went."""
        return system.clean_up(rule)

    @routes.post("/api/system/alerts/test", responses=responses(409))
    def test_alert() -> AlertSettings:
        """Send a message to the webhook."""
        return system.watch.alerts.test()


def _video(routes: APIRouter) -> None:
    def video() -> None:
        """Not built yet."""
        raise NotImplementedYet("Video is in development.", "Images work today; see /api/generation.")

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        shown = method in {"GET", "POST"}
        for path in ("/api/video", "/api/video/{rest:path}"):
            routes.add_api_route(
                path, video, methods=[method], status_code=501, responses=responses(501), include_in_schema=shown
            )
