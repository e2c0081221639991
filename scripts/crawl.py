"""Asks a guarded Isengard for every route it has, Gradio's included, as a stranger: ``python scripts/crawl.py``.

The routes are taken from the wired app itself, so that a new one is asked for without being listed here. Exit status 1
when anything but the log-in and ``/health`` answers with more than a refusal.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from own_app import ROOT, OwnApp

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN = {"/health", "/login", "/api/session"}
# Ways of writing a path that a guard and a router might read differently.
DISGUISES = (
    "//{0}",
    "/{0}/",
    "/./{0}",
    "/health/../{0}",
    "/login/../{0}",
    "/%2e%2e/{0}",
    "/login%2f..%2f{0}",
    "/login;/{0}",
    "/health?/{0}",
    "/{0}%00",
    "/{0}#/login",
)
FORGED = (
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer null"},
    {"Authorization": "Basic Og=="},
    {"Cookie": "isengard=; __Host-isengard="},
    {"Cookie": "isengard=Im93bmVyIg.AAAAAA.AAAA"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Real-IP": "127.0.0.1"},
    {"X-Original-URL": "/health", "X-Rewrite-URL": "/health"},
    {"X-HTTP-Method-Override": "GET", "Host": "localhost"},
    {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAA"},
)


@dataclass
class Crawled:
    """What was asked for and what was answered."""

    paths: int = 0
    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    open: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)


def paths_of(volume: Path) -> set[str]:
    """Return the paths of all routes of the app and of the screen."""
    os.environ.update(VOLUME_ROOT=str(volume), ISENGARD_LOG_DIR=str(volume), ISENGARD_TMP_DIR=str(volume))
    sys.path.insert(0, str(ROOT))
    import app
    from isengard.config import Settings

    made = app.build(Settings(host="0.0.0.0"))  # noqa: S104 - nothing listens
    found = {*walked(made.web().routes), *walked(app.load_screen(made, guarded=True).routes)}
    return {re.sub(r"{[^}]*}", "x", path) for path in found}


def walked(routes: list[Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths of routes and of what is mounted or included below them."""
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        inner = getattr(route, "routes", None) or getattr(getattr(route, "app", None), "routes", None)
        inner = inner or getattr(getattr(route, "original_router", None), "routes", None)
        if inner:
            yield from walked(list(inner), path.rstrip("/") + _prefix(route))
        elif path:
            yield path


def _prefix(route: Any) -> str:
    context = getattr(route, "include_context", None)
    return str(getattr(context, "prefix", "") or "")


def crawl(url: str, paths: set[str]) -> Crawled:
    """Ask for all paths in all ways."""
    done = Crawled(paths=len(paths))
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as http:
        for path in sorted(paths):
            for method in METHODS:
                _ask(http, done, method, path)
            for headers in FORGED:
                _ask(http, done, "GET", path, headers)
            for form in DISGUISES:
                _ask(http, done, "GET", form.format(path.lstrip("/")))
    return done


def _ask(http: httpx.Client, done: Crawled, method: str, path: str, headers: dict[str, str] | None = None) -> None:
    # The target is sent as it stands: a client would tidy it up.
    request = http.build_request(method, "/", headers={"Accept": "text/html", **(headers or {})})
    request.extensions["target"] = path.partition("#")[0].encode()
    answer = http.send(request)
    done.asked += 1
    done.statuses[answer.status_code] += 1
    led_to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
    if answer.status_code in {401, 429} or led_to_login:
        return
    plain = path.partition("?")[0].partition("#")[0]
    if plain in OPEN:
        done.open.add(f"{method} {plain} {answer.status_code}")
    else:
        done.leaks.append(f"{method} {path} {headers or ''}: {answer.status_code} {answer.text[:80]!r}")


def main() -> int:
    """Crawl and tell."""
    with tempfile.TemporaryDirectory() as kept:
        paths = paths_of(Path(kept) / "routes")
        with OwnApp(Path(kept) / "volume", ISENGARD_PASSWORD=secrets.token_hex(8)) as app:
            done = crawl(app.url, paths)
    for leak in done.leaks[:20]:
        print(f"OPEN: {leak}")
    print(f"open on purpose: {', '.join(sorted(done.open))}")
    counts = ", ".join(f"{number} x {status}" for status, number in sorted(done.statuses.items()))
    print(f"crawl: {done.paths} paths, {done.asked} requests, {len(done.leaks)} answered to strangers ({counts})")
    return 1 if done.leaks or done.paths < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
