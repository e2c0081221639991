"""Listening: the port, the announcement, the public link, and a stop that does not wait for open event streams."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from isengard.config import Settings
from isengard.errors import Conflict
from isengard.services.owner import Owner

STOP_SECONDS = 2


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order, however often it is asked for: a forced exit would not hand the running jobs back."""
        super().handle_exit(sig, frame)
        self.force_exit = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def about_password(settings: Settings, owner: Owner, *, guarded: bool, renew: bool) -> str:
    """Make sure that there is a password where one is asked for; return what to print about it."""
    if not guarded:
        warning = "WARNING: no password is asked for: whoever reaches this address sees and changes everything.\n"
        return warning if settings.exposed else ""
    made = owner.prepare(renew=renew and not settings.password)
    if made:
        return f"Password: {made}\nIt is shown this once and kept as a hash; --new-password makes another.\n"
    if settings.password:
        return "It asks for the password of ISENGARD_PASSWORD.\n"
    return "It asks for the password that was printed when it first started; --new-password makes another.\n"


def run(
    web: FastAPI, settings: Settings, tell: Callable[[str], None], share: Callable[[int], str] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; ``share`` opens a public link to a port. Raise Conflict when the port is taken."""
    listener = _listen(settings.host, settings.port)
    port = listener.getsockname()[1]

    def ready() -> None:
        host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104
        tell(f"Isengard is on http://{host}:{port}")
        if share:
            threading.Thread(target=lambda: tell(share(port)), daemon=True).start()

    config = uvicorn.Config(
        web,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        ws="none",  # nobody speaks it here
        proxy_headers=False,  # by default it believes them from this machine; api/forwarded.py decides
    )
    server = _Server(config, ready)
    server.run(sockets=[listener])
    listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, asyncio switches Nagle's algorithm off; else every answer may wait 40 ms for an ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise Conflict(
            f"Port {port} of {host} cannot be used: {error.strerror}.",
            f"Another program, perhaps another Isengard, may have it. Try --port {port + 1 if port else 7860}.",
        ) from error
    return listener
