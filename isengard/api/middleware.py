"""Around every request, Gradio's included: its id, its log line, and what is refused before it is read."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isengard.api.problems import problem
from isengard.observability import request_context

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
MB = 2**20
JSON_LIMIT = 2 * MB
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
                    headers = MutableHeaders(scope=message)
                    headers["X-Correlation-ID"] = identifier
                    headers.setdefault("X-Content-Type-Options", "nosniff")
                    headers.setdefault("Referrer-Policy", "same-origin")
                await send(message)

            await self._app(scope, receive, answer)
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            tell = log.info if scope["method"] in UNSAFE or status >= HTTPStatus.BAD_REQUEST else log.debug
            tell("request", method=scope["method"], path=path, status=status, ms=milliseconds)


class Guard:
    """Refuses unsafe requests of other sites, wrong passwords and bodies that are too large."""

    def __init__(self, app: ASGIApp, upload_limit_mb: int, password: str | None) -> None:
        self._app = app
        self._upload_limit = upload_limit_mb * MB
        self._password = password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, self._counted(receive, self._limit(headers)), send)

    def _refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        if self._password and scope["path"] != "/health" and not _knows(self._password, headers):
            answer = problem(HTTPStatus.UNAUTHORIZED, "The password is missing or wrong.", "Any user name will do.")
            answer.headers["WWW-Authenticate"] = 'Basic realm="Isengard", charset="UTF-8"'
            return answer
        if scope["method"] in UNSAFE and headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return problem(
                HTTPStatus.FORBIDDEN, "Another web site sent this request.", "Use Isengard's own page, or a program."
            )
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._limit(headers):
            return _too_large(self._limit(headers))
        return None

    def _limit(self, headers: Headers) -> int:
        return self._upload_limit if headers.get("content-type", "").startswith("multipart/") else JSON_LIMIT

    def _counted(self, receive: Receive, limit: int) -> Receive:
        """Stop reading a body without a length once it is too long, as if the sender had gone."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message if taken <= limit else {"type": "http.disconnect"}

        return counted


def _too_large(limit: int) -> ASGIApp:
    return problem(
        HTTPStatus.CONTENT_TOO_LARGE
        if hasattr(HTTPStatus, "CONTENT_TOO_LARGE")
        else HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request is larger than {limit // MB} MB.",
        "Upload fewer files at once, or smaller ones.",
    )


def _knows(password: str, headers: Headers) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return secrets.compare_digest(given.encode(), password.encode())
    if kind.lower() != "basic":
        return False
    try:
        known = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return False
    return secrets.compare_digest(known.encode(), password.encode())
