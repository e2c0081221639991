"""The one door: nothing behind it, Gradio's own routes and files included, is served without the password."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from isengard.api.login import COOKIE, SECURE_COOKIE, LogIn, client
from isengard.api.problems import problem, told
from isengard.errors import IsengardError

OPEN = {"/health", "/login", "/api/session"}


class Door:
    """Lets in who shows a session's cookie, a session's token or the password itself as a bearer token."""

    def __init__(self, app: ASGIApp, login: LogIn) -> None:
        self._app = app
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # Isengard has no web sockets; whoever adds one must guard it here
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        try:
            known = await self._known(scope, headers)
        except IsengardError as error:
            await told(error)(scope, receive, send)
            return
        await (self._app if known else _unknown(scope, headers))(scope, receive, send)

    async def _known(self, scope: Scope, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            owner = self._login.owner
            return owner.is_session(token) or await asyncio.to_thread(self._login.accept, token, client(scope))
        cookies = cookie_parser(headers.get("cookie", ""))
        return self._login.owner.is_session(cookies.get(SECURE_COOKIE) or cookies.get(COOKIE, ""))


def _unknown(scope: Scope, headers: Headers) -> ASGIApp:
    wants_page = scope["method"] in {"GET", "HEAD"} and "text/html" in headers.get("accept", "")
    if wants_page and not scope["path"].startswith("/api/"):
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = quote(scope["path"] + (f"?{query}" if query else ""), safe="/")
        return RedirectResponse(f"/login?next={wanted}", HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    answer = problem(
        HTTPStatus.UNAUTHORIZED,
        "You are not logged in, or the session is over.",
        "Open /login in a browser; a program sends 'Authorization: Bearer' with the password.",
    )
    answer.headers["WWW-Authenticate"] = 'Bearer realm="Isengard"'
    return answer
