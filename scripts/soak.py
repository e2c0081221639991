"""Use it for twenty-four simulated hours and see whether anything grows.

Each hour, in some seconds: a character with photos comes, is trained on every sixth hour, pictures are made, looked
at and deleted, jobs are cancelled, pages and event streams are opened and closed, and the character goes. What is kept
for a time (the job history) is kept for three such hours. Memory, threads, file handles, Redis keys and temporary
files of the last hours are held against those of the first ones after the start.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
from own_app import ROOT, OwnApp
from rest import Rest

PHOTOS = sorted((ROOT / "tests" / "photos").glob("*.jpg"))
WARM_UP, COMPARED = 3, 4  # hours that are not counted, and that are compared with the last as many
ALLOWED = {"memory_mb": 12.0, "threads": 2.0, "handles": 4.0, "redis_keys": 12.0, "temporary_files": 0.0}


@dataclass(frozen=True)
class Sizes:
    """What must not grow."""

    memory_mb: float
    threads: int
    handles: int
    redis_keys: int
    temporary_files: int


def main() -> int:
    """Do it; return 0 when nothing grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24, help="default: 24")
    parser.add_argument("--pictures", type=int, default=6, help="jobs of one picture an hour (default: 6)")
    parser.add_argument("--hour-seconds", type=float, default=15, help="shortest length of an hour (default: 15)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isengard-soak-") as folder:
        grown = _soak(Path(folder).resolve() / "volume", options)
    for line in grown:
        print(f"  wrong: {line}")
    print("FAILED" if grown else "passed: nothing grew")
    return bool(grown)


def _soak(volume: Path, options: argparse.Namespace) -> list[str]:
    keep_days = 3 * options.hour_seconds / 86_400
    environment = {"ISENGARD_KEEP_JOBS_DAYS": f"{keep_days:.8f}", "ISENGARD_ENGINE_IDLE_SECONDS": "3600"}
    seen: list[Sizes] = []
    with OwnApp(volume, **environment) as app:
        rest = Rest(app.url)
        while rest.client.get("/").status_code != httpx.codes.OK:
            time.sleep(0.5)
        for hour in range(1, options.hours + 1):
            started = time.monotonic()
            _hour(rest, hour, options)
            time.sleep(max(0.0, options.hour_seconds - (time.monotonic() - started)))
            seen.append(_sizes(app))
            print(f"  hour {hour:2}: {_told(seen[-1])}", flush=True)
    return _growth(seen)


# --- one hour of use -------------------------------------------------------------------------


def _hour(rest: Rest, hour: int, options: argparse.Namespace) -> None:
    person = rest.post("/api/characters", json={"name": f"Person {hour}", "trigger_word": f"prsn{hour}"})
    for photo in PHOTOS[:4]:
        files = {"files": (photo.name, photo.read_bytes(), "image/jpeg")}
        rest.post(f"/api/characters/{person['id']}/images", files=files)
    images = rest.get(f"/api/characters/{person['id']}/images")["items"]
    for image in images:
        rest.fetch(f"/api/characters/{person['id']}/images/{image['id']}/file?size=thumb")
    asked = [{"prompt": f"a person, number {n}", "base_model": "pocket", "steps": 4} for n in range(options.pictures)]
    jobs = [rest.post("/api/generation", json=one) for one in asked]
    if hour % 6 == 1:
        config = {"steps": 8, "batch_size": 1, "save_every": 4, "sample_every": 1000}
        jobs.append(rest.post("/api/training", json={"character_id": person["id"], "config": config}))
    _look(rest, jobs[0]["id"])
    for job in jobs:
        rest.wait(job, lambda _: None, 300)
    _cancel(rest)
    for output in rest.get("/api/outputs", params={"limit": 200})["items"]:
        rest.fetch(f"/api/outputs/{output['id']}/file?size=thumb")
        rest.client.delete(f"/api/outputs/{output['id']}").raise_for_status()
    rest.client.delete(f"/api/characters/{person['id']}").raise_for_status()


def _look(rest: Rest, job_id: str) -> None:
    """Open pages and event streams as browsers do, some at once, and leave before they end."""

    def leave_early(path: str) -> None:
        with httpx.Client(base_url=rest.client.base_url, timeout=30, trust_env=False) as client:
            with client.stream("GET", path) as answer:
                next(answer.iter_bytes(64), b"")
            client.get("/")

    paths = ["/api/events", f"/api/jobs/{job_id}/events"] * 6
    browsers = [threading.Thread(target=leave_early, args=(path,)) for path in paths]
    for browser in browsers:
        browser.start()
    for path in ("/", "/info", "/metrics", "/api/system", "/api/jobs", "/api/loras", "/api/models", "/health/ready"):
        rest.client.get(path).raise_for_status()
    for browser in browsers:
        browser.join()


def _cancel(rest: Rest) -> None:
    job = rest.post("/api/generation", json={"prompt": "a person", "base_model": "pocket", "count": 8})
    rest.post(f"/api/jobs/{job['id']}/cancel")
    while rest.get(f"/api/jobs/{job['id']}")["status"] not in {"cancelled", "completed"}:
        time.sleep(0.1)


# --- measuring -------------------------------------------------------------------------------


def _sizes(app: OwnApp) -> Sizes:
    process = psutil.Process(app.pid)
    with redis.Redis(unix_socket_path=str(app.volume / "redis" / "valkey-9" / "redis.sock")) as client:
        keys: Any = client.dbsize()
    temporary = list(app.volume.rglob("*.partial"))
    temporary += (app.volume / "cache" / "incoming").glob("*")
    temporary += [path for path in app.volume.with_name(f"{app.volume.name}-tmp").rglob("*") if path.is_file()]
    memory = process.memory_info().rss / 2**20
    return Sizes(round(memory, 1), process.num_threads(), process.num_fds(), int(keys), len(temporary))


def _told(sizes: Sizes) -> str:
    return ", ".join(f"{field.name.replace('_', ' ')} {getattr(sizes, field.name)}" for field in fields(sizes))


def _growth(seen: list[Sizes]) -> list[str]:
    """Compare medians: one hour may be caught with a request under way."""
    first, last = seen[WARM_UP : WARM_UP + COMPARED], seen[-COMPARED:]
    grown = []
    for field in fields(Sizes):
        value: Callable[[Sizes], float] = lambda sizes, name=field.name: getattr(sizes, name)  # noqa: E731
        before, after = statistics.median(map(value, first)), statistics.median(map(value, last))
        print(f"{field.name.replace('_', ' ')}: {before:g} in the first hours, {after:g} in the last")
        if after - before > ALLOWED[field.name]:
            grown.append(f"{field.name.replace('_', ' ')} grew from {before:g} to {after:g}")
    return grown


if __name__ == "__main__":
    sys.exit(main())
