"""Measure a start step by step: the process answers, every part is ready, the page is there, pictures are made."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from own_app import OwnApp
from rest import Rest

STEPS = (
    "answers `/health`",
    "every part is ready",
    "the page is there",
    "first picture (pocket)",
    "second picture",
    "stop in a training",
)


def main() -> None:
    """Start on a new volume, several times, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="default: 5")
    options = parser.parse_args()
    rows = [_start() for _ in range(options.times)]
    for name, values in zip(STEPS, zip(*rows, strict=True), strict=True):
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"| {name} | {statistics.median(values):.1f} ({spread}) |")


def _start() -> list[float]:
    """Return seconds since the start of the process; of pictures and of the stop, seconds since they were asked for."""
    with tempfile.TemporaryDirectory(prefix="isengard-start-") as folder:
        started = time.perf_counter()
        with OwnApp(Path(folder).resolve() / "volume") as app:
            rest = Rest(app.url)
            seconds = [app.seconds_to_health]
            for path in ("/health/ready", "/"):
                _until(lambda path=path: rest.client.get(path).status_code == httpx.codes.OK)
                seconds.append(time.perf_counter() - started)
            for _ in range(2):
                asked = time.perf_counter()
                rest.wait(rest.post("/api/generation", json={"prompt": "a man", "base_model": "pocket"}), _ignore, 300)
                seconds.append(time.perf_counter() - asked)
            _begin_training(rest)
            asked = time.perf_counter()
            os.kill(app.pid, signal.SIGTERM)
            app.await_end(60)
            seconds.append(time.perf_counter() - asked)
    return seconds


def _begin_training(rest: Rest) -> None:
    config = {"steps": 1000, "batch_size": 1, "save_every": 1000, "sample_every": 1000}
    character = rest.post("/api/characters/sample")["id"]
    job = rest.post("/api/training", json={"character_id": character, "config": config})
    _until(lambda: rest.get(f"/api/jobs/{job['id']}")["current_step"] >= 3)


def _until(ready: Callable[[], bool]) -> None:
    while not ready():
        time.sleep(0.02)


def _ignore(_job: object) -> None:
    """Wait without a word."""


if __name__ == "__main__":
    main()
