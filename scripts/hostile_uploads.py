"""Sends thousands of hostile files to an Isengard of its own: ``python scripts/hostile_uploads.py``.

Says how many crashes there were, files outside the volume, and answers that a browser could run; and how much memory
it took. Exit status 1 when anything but the memory's amount is not as it must be.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from hostile_files import MARK, SCRIPT, Hostile, hostile_files
from own_app import OwnApp
from PIL import Image

A_CHARACTER = 150  # uploads; a character keeps 500 pictures
MAX_APP_GB = 1.0
LOOKED_AT = (Path("/tmp"), Path("/var/tmp"), Path("/etc"), Path.home(), Path.cwd())  # noqa: S108 - looked at, not used
SKIPPED = {".venv", "node_modules", ".git"}
PASSIVE = ("application/json", "application/problem+json", "application/octet-stream", "image/")


@dataclass
class Outcome:
    """What came of it."""

    statuses: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    served: int = 0
    peak_gb: float = 0.0
    peak_all_gb: float = 0.0


class Memory:
    """Looks at what the app and its children hold, ten times a second, until it is closed."""

    def __init__(self, pid: int, outcome: Outcome) -> None:
        self._process, self._outcome, self._over = psutil.Process(pid), outcome, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            own = self._process.memory_info().rss
            children = 0
            for child in self._process.children(recursive=True):
                try:
                    children += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._outcome.peak_gb = max(self._outcome.peak_gb, own / 2**30)
            self._outcome.peak_all_gb = max(self._outcome.peak_all_gb, (own + children) / 2**30)

    def close(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()


def send(http: httpx.Client, one: Hostile, character: str, outcome: Outcome) -> None:
    """Send one file, and note what was answered."""
    path = {"images": f"/api/characters/{character}/images", "start": "/api/generation/images", "loras": "/api/loras"}[
        one.to
    ]
    part = "files" if one.to == "images" else "file"
    try:
        answer = http.post(path, files={part: (one.name, one.content, "image/svg+xml")})
    except httpx.TransportError as error:
        outcome.broken.append(f"{one.kind} {one.name[:60]!r}: {error!r}")
        return
    outcome.statuses[f"{one.kind} {answer.status_code}"] += 1
    if answer.status_code >= 500:
        outcome.broken.append(
            f"{one.kind} {one.name[:60]!r} {len(one.content)} bytes: {answer.status_code} {answer.text[:200]}"
        )
    look(answer, outcome)
    if one.to == "start" and answer.is_success:
        look(http.get(answer.json()["url"]), outcome)


def look(answer: httpx.Response, outcome: Outcome) -> None:
    """Note an answer that a browser could run, or that is a picture with something else in it."""
    outcome.served += 1
    kind = answer.headers.get("content-type", "")
    guarded = answer.headers.get("x-content-type-options") == "nosniff" and "sandbox" in answer.headers.get(
        "content-security-policy", ""
    )
    if not kind.startswith(PASSIVE) or not guarded:
        outcome.active.append(f"{answer.request.url.path}: {kind}")
    if kind.startswith("image/"):
        Image.open(io.BytesIO(answer.content)).load()
        if MARK.encode() in answer.content or SCRIPT in answer.content:
            outcome.active.append(f"{answer.request.url.path}: a script inside")


def look_at_all(http: httpx.Client, character: str, outcome: Outcome) -> None:
    """Fetch every picture of a character in every size."""
    for image in http.get(f"/api/characters/{character}/images").json()["items"]:
        for size in ("thumb", "full", "whole"):
            look(http.get(f"/api/characters/{character}/images/{image['id']}/file", params={"size": size}), outcome)


def strays(volume: Path) -> Iterator[Path]:
    """Yield what lies outside the volume under a name with the token, where the app could have written."""
    for root in {path.resolve() for path in LOOKED_AT}:
        for folder, folders, files in os.walk(root):
            folders[:] = [
                one for one in folders if Path(folder, one) != volume and one not in {".venv", "node_modules", ".git"}
            ]
            yield from (Path(folder, name) for name in [*files, *folders] if MARK in name)


def names_on_volume(volume: Path) -> list[str]:
    """Return names on the volume that came from a file's own name or are of an active type."""
    endings = {".html", ".svg", ".php", ".exe", ".pkl", ".pt", ".ckpt", ".bin", ".js"}
    found = (path for path in volume.rglob("*") if path.is_file() and "redis" not in path.parts)
    return [str(path) for path in found if MARK in path.name or path.suffix in endings]


def attack(app: OwnApp, count: int, seed: int) -> Outcome:
    """Send them all, two at a time."""
    outcome = Outcome()
    memory = Memory(app.pid, outcome)
    files = list(hostile_files(count, seed))
    with httpx.Client(base_url=app.url, timeout=180, trust_env=False) as http, ThreadPoolExecutor(2) as threads:
        for start in range(0, count, A_CHARACTER):
            made = http.post("/api/characters", json={"name": f"{start}", "trigger_word": f"h{start}st"}).json()["id"]
            list(threads.map(lambda one, to=made: send(http, one, to, outcome), files[start : start + A_CHARACTER]))
            look_at_all(http, made, outcome)
        memory.close()
        if http.get("/health/ready").status_code != 200:
            outcome.broken.append("the app is not ready at the end")
    return outcome


def main() -> int:
    """Attack, look, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        volume = Path(kept) / "volume"
        started = time.perf_counter()
        with OwnApp(volume, ISENGARD_UPLOADS_PER_MINUTE="0") as app:
            pid = app.pid
            outcome = attack(app, options.count, options.seed)
            alive = psutil.pid_exists(pid)
            outside = list(strays(volume))
            inside = names_on_volume(volume)
    for title, found in (
        ("broken", outcome.broken),
        ("active", outcome.active),
        ("outside", outside),
        ("named", inside),
    ):
        for one in found[:10]:
            print(f"{title.upper()}: {one}")
    for what, number in sorted(outcome.statuses.items()):
        print(f"{number:6} {what}")
    print(
        f"hostile uploads: {options.count} sent, {len(outcome.broken)} crashes or 5xx, {len(outside)} files outside "
        f"the volume, {len(inside)} of their names on it, {outcome.served} answers looked at, "
        f"{len(outcome.active)} active; "
        f"peak memory of the app {outcome.peak_gb:.2f} GB, with its children {outcome.peak_all_gb:.2f} GB; "
        f"{time.perf_counter() - started:.0f} s"
    )
    bad = outcome.broken or outcome.active or outside or inside or not alive or outcome.peak_gb > MAX_APP_GB
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
