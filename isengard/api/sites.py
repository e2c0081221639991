"""Refuses what other sites make a browser send: by the browser's own word, by Origin, by a name that is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from isengard.api.forwarded import host_name
from isengard.api.problems import problem

SAFE = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class OwnSite:
    """Guards unsafe methods always; while there is no password, also that the app is asked for by a name of its own.

    Without that, a page of any site could point a name of its own at 127.0.0.1 and read all answers (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, friends: Sequence[str], reached_at: Sequence[str], *, guarded: bool) -> None:
        self._app = app
        self._friends = set(friends)
        self._reached_at = set(reached_at)
        self._guarded = guarded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if not self._guarded and (scope.get("proxied") or host_name(headers.get("host", "")) not in LOOPBACK):
            return problem(
                HTTPStatus.FORBIDDEN,
                "Isengard has no password and is for this machine alone, but was asked for by another name.",
                "Open http://127.0.0.1 with its port, or set ISENGARD_PASSWORD and start it again.",
            )
        if scope["method"] not in SAFE and self._foreign(headers):
            return problem(
                HTTPStatus.FORBIDDEN, "Another web site sent this request.", "Use Isengard's own page, or a program."
            )
        return None

    def _foreign(self, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self._friends:
            return False
        if site:
            return site not in {"same-origin", "none"}
        # Older browsers say no more than Origin. The scheme is left out: a proxy may have changed it.
        own = {None, *self._reached_at}
        return origin not in own and urlsplit(origin or "").netloc.lower() != headers.get("host", "").lower()
