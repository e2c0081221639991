"""The ComfyUI server is killed under a whole Isengard, and the app over it; every picture is made, once."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfyui_kills as kills
import psutil
import pytest
from own_app import OwnApp
from rest import FINAL, Rest

LIMIT = 120


def options(**changed: Any) -> argparse.Namespace:
    usual = {"pictures": 20, "kills": 3, "steps": 8, "step_seconds": 0.05, "size": 64, "seed": 3, "real": False}
    return argparse.Namespace(**{**usual, "limit": LIMIT, **changed})


def ended(job: dict[str, Any]) -> bool:
    return job["status"] in FINAL


def submit(rest: Rest, **asked: Any) -> dict[str, Any]:
    request = {"prompt": "a house", "base_model": kills.BASE, "steps": 20, "seed": 1, **asked}
    job: dict[str, Any] = rest.post("/api/generation", json=request)
    return job


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    kills.place_model(tmp_path / "volume" / "comfyui" / "models" / kills.CHECKPOINT, real=False)
    return tmp_path / "volume"


@pytest.fixture
def app(tmp_path: Path, volume: Path) -> Iterator[OwnApp]:
    with OwnApp(volume, **kills.environment(tmp_path, options())) as running:
        yield running


def test_a_server_killed_at_random_costs_no_picture_and_makes_none_twice(tmp_path: Path) -> None:
    chosen = options()
    report = kills.run(tmp_path, chosen)
    assert report.wrong(chosen) == []


def test_the_app_is_killed_and_its_server_does_not_outlive_it(tmp_path: Path, volume: Path) -> None:
    environment = kills.environment(tmp_path, options())
    with OwnApp(volume, **environment) as app:
        rest = Rest(app.url)
        job = submit(rest, count=4)
        rest.until(job, lambda now: now["current_step"] > 20, LIMIT)  # the first picture is kept, the second under way
        servers = kills.servers(app.pid)
        assert servers
        os.kill(app.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(servers, timeout=30)
        assert alive == []
    with OwnApp(volume, **environment) as app:
        done = Rest(app.url).until(job, ended, LIMIT)
    assert done["status"] == "completed", done["error"]
    assert [output["seed"] for output in done["outputs"]] == [1, 2, 3, 4]
    assert len(list((volume / "outputs" / job["id"]).glob("[0-9]*.png"))) == 4


def test_a_job_of_another_backend_does_not_notice(app: OwnApp) -> None:
    rest = Rest(app.url)
    ours, other = submit(rest, count=3), rest.post("/api/generation", json={"prompt": "a man", "steps": 4})
    rest.until(ours, lambda now: now["current_step"] > 0, LIMIT)
    for server in kills.servers(app.pid):
        server.kill()
    for job in (ours, other):
        done = rest.until(job, ended, LIMIT)
        assert done["status"] == "completed", done["error"]
    assert rest.until(other, ended, LIMIT)["attempt"] == 1


def test_cancelling_a_job_frees_the_server_for_the_next(app: OwnApp) -> None:
    rest = Rest(app.url)
    long, short = submit(rest, steps=200, count=4), submit(rest, steps=1, seed=9)
    rest.until(long, lambda now: now["current_step"] > 0, LIMIT)
    rest.post(f"/api/jobs/{long['id']}/cancel")
    assert rest.until(long, ended, LIMIT)["status"] == "cancelled"
    assert rest.until(short, ended, LIMIT)["status"] == "completed"
    assert len(kills.servers(app.pid)) == 1
