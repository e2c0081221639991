"""Where a request comes from and by which name it was asked for: proxies are believed only where the settings say so.

Headers that a proxy sets can be sent by anybody. The client's address is believed from the proxies named in
``ISENGARD_TRUSTED_PROXIES``; a name, if it is one of ``ISENGARD_PUBLIC_URLS``, which also say whether it is https.
Everything else of the kind is taken out before anyone sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network
SAID_BY_PROXIES = {b"forwarded", b"x-real-ip", b"x-gradio-server"}


class Forwarded:
    """Puts the true client, scheme and host into the request."""

    def __init__(self, app: ASGIApp, proxies: Sequence[Network], public_urls: Sequence[str]) -> None:
        self._app = app
        self._proxies = proxies
        self._public = [urlsplit(url) for url in public_urls]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] in {"http", "websocket"}:
            scope = self._known(scope)
        await self._app(scope, receive, send)

    def _known(self, scope: Scope) -> Scope:
        told = Headers(scope=scope)
        kept = [(name, value) for name, value in scope["headers"] if not _by_proxy(name)]
        peer = scope["client"][0] if scope.get("client") else ""
        clean = {**scope, "headers": kept, "proxied": len(kept) < len(scope["headers"])}
        trusted = self._is_proxy(peer)
        if trusted:
            clean["client"] = (self._first_stranger(told.get("x-forwarded-for", ""), peer), 0)
        host = told.get("x-forwarded-host")
        if host and (trusted or self._scheme_of(host)):
            clean["headers"] = [*((n, v) for n, v in kept if n != b"host"), (b"host", host.encode("latin-1"))]
        scheme = self._scheme_of(Headers(scope=clean).get("host", ""))
        return {**clean, "scheme": scheme} if scheme else clean

    def _scheme_of(self, authority: str) -> str:
        """Return how the app is reached under one of its public names; empty for any other name."""
        name = host_name(authority)
        return next((url.scheme for url in self._public if fnmatchcase(name, url.hostname or "")), "")

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self._proxies)
        except ValueError:  # a unix socket, or a test's name
            return False

    def _first_stranger(self, chain: str, peer: str) -> str:
        """Return the nearest address that is no proxy of ours: what lies further left was sent by that client."""
        hops = [hop.strip() for hop in chain.split(",") if hop.strip()]
        return next((hop for hop in reversed(hops) if not self._is_proxy(hop)), peer)


def _by_proxy(name: bytes) -> bool:
    return name in SAID_BY_PROXIES or name.startswith(b"x-forwarded-")


def host_name(authority: str) -> str:
    """Return the name of ``name:port``, in small letters, without an IPv6 address's brackets."""
    return (urlsplit(f"//{authority}").hostname or "") if _sane(authority) else ""


def _sane(authority: str) -> bool:
    try:
        return urlsplit(f"//{authority}").netloc == authority and "@" not in authority
    except ValueError:
        return False
