"""How large a request may be, and how often one may come."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isengard.api.problems import problem
from isengard.errors import QueueUnavailable
from isengard.infra.rates import Rates

MB = 2**20
JSON_MB = 2
FORM_MB = 95  # proxies cut a request at 100 MB; pictures are held to ISENGARD_MAX_UPLOAD_MB each besides
LORA_MB, LORA_PATHS = 4200, {"/api/loras", "/api/loras/inspect"}
MINUTE = 60
log = structlog.get_logger("api")


@dataclass(frozen=True)
class Often:
    """At most ``limit`` requests a minute to the paths of one kind; 0: as many as come."""

    kind: str
    paths: re.Pattern[str]
    limit: int


class Limits:
    """Refuses what is too large before it is read, and what comes too often before it is done."""

    def __init__(self, app: ASGIApp, rates: Rates, kinds: tuple[Often, ...]) -> None:
        self._app = app
        self._rates = rates
        self._kinds = kinds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = _limit_mb(scope["path"], headers)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit * MB:
            await _too_large(limit)(scope, receive, send)
            return
        refusal = await self._too_often(scope)
        if refusal:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)

    async def _too_often(self, scope: Scope) -> ASGIApp | None:
        kind = next((kind for kind in self._kinds if kind.limit and kind.paths.fullmatch(scope["path"])), None)
        if kind is None or scope["method"] != "POST":  # only what makes something counts, not a slider that sorts
            return None
        try:
            wait = await asyncio.to_thread(self._rates.take, kind.kind, kind.limit, MINUTE)
        except QueueUnavailable:  # what needs the queue will say so itself; the rest shall work without it
            return None
        if not wait:
            return None
        log.warning("request.too_often", kind=kind.kind, limit=kind.limit)
        answer = problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"More than {kind.limit} {kind.kind} came within a minute.",
            f"Go on in {wait} seconds.",
        )
        answer.headers["Retry-After"] = str(wait)
        return answer


def _limit_mb(path: str, headers: Headers) -> int:
    if not headers.get("content-type", "").startswith("multipart/"):
        return JSON_MB
    return LORA_MB if path in LORA_PATHS else FORM_MB


def _counted(receive: Receive, limit: int) -> Receive:
    """Hold a body that does not tell its length to the limit too."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit * MB:  # of this kind, so that whoever reads the body lets it through
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _said(limit))
        return message

    return counted


def _said(limit: int) -> str:
    return f"The request is larger than {limit} MB."


def _too_large(limit: int) -> ASGIApp:
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _said(limit), "Upload fewer files at once, or smaller ones.")
