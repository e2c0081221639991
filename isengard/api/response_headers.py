"""What a browser is told with every answer: to load nothing from elsewhere, to frame nothing, to guess no types."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio's page builds functions from text and has inline scripts, so both are allowed. What an intruder needs next,
# a way out, is not: no script, picture, frame, form or request may leave this origin.
PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-src 'none'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# A picture or JSON that is opened by itself: whatever it holds, it runs nothing.
INERT = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
# A user's files come from /api alone; of these types nothing runs in a browser.
PASSIVE = (
    "application/json",
    "application/problem+json",
    "application/octet-stream",
    "application/zip",
    "image/avif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/event-stream",
    "text/plain",
)


class ResponseHeaders:
    """Adds them, and turns whatever /api would serve as an active type into a plain download."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inert = scope["path"].startswith("/api/")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), inert=inert, secure=scope["scheme"] == "https")
            await send(message)

        await self._app(scope, receive, answer)


def _complete(headers: MutableHeaders, *, inert: bool, secure: bool) -> None:
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", INERT if inert else PAGE)
    if secure:
        headers.setdefault("Strict-Transport-Security", "max-age=15552000")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if inert and kind and kind not in PASSIVE:
        headers["Content-Type"] = "application/octet-stream"
        headers["Content-Disposition"] = "attachment"
