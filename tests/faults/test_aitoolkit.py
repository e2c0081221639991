"""A whole Isengard trains with the stand-in for AI-Toolkit: killed on the way, and out of the GPU's memory."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aitoolkit_kills as kills
import pytest
from own_app import OwnApp
from rest import Rest

LIMIT = 240
FULL = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB."
OUT_OF_VRAM = {"at": 12, "code": 1, "says": ["", f"Error running job: {FULL.partition(': ')[2]}", FULL]}


def options(**changed: Any) -> argparse.Namespace:
    usual = {"kills": 2, "steps": 60, "save_every": 10, "step_seconds": 0.05, "seed": 3, "real": False}
    return argparse.Namespace(**{**usual, "limit": LIMIT, **changed})


@pytest.mark.slow
def test_a_killed_trainer_and_a_killed_app_cost_no_more_than_what_was_not_saved(tmp_path: Path) -> None:
    chosen = options()
    report = kills.run(tmp_path, chosen)
    assert report.wrong(chosen) == []


@contextmanager
def house(folder: Path, **plan: Any) -> Iterator[tuple[Rest, OwnApp]]:
    """An Isengard whose trainer follows a plan, with a base model of 1 GB on paper."""
    environment = kills.environment(folder, options())
    (folder / "plan.json").write_text(json.dumps({"step_seconds": 0.01, **plan}), encoding="utf-8")
    volume = folder / "volume"
    model = volume / "comfyui" / "models" / kills.BASE
    kills.place_base(model, real=False)
    os.truncate(next((model / "unet").iterdir()), 2**30)
    with OwnApp(volume, **environment) as app:
        yield Rest(app.url), app


def train(rest: Rest) -> dict[str, Any]:
    character = rest.post("/api/characters/sample")["id"]
    config = {"base_model": kills.BASE, "steps": 24, "save_every": 5, "lora_rank": 4}
    job: dict[str, Any] = rest.post("/api/training", json={"character_id": character, "config": config})
    return job


def quietly(_job: dict[str, Any]) -> None:
    """Nobody watches."""


def test_a_training_without_enough_video_memory_goes_on_with_less_and_says_so(tmp_path: Path) -> None:
    with house(tmp_path, **OUT_OF_VRAM, once=str(tmp_path / "once")) as (rest, _):
        job = train(rest)
        assert job["payload"]["config"]["weight_bits"] == 16
        done = rest.wait(job, quietly, LIMIT)
        told = rest.get("/api/loras")["items"][0]
        curve = rest.get(f"/api/jobs/{job['id']}/loss")["items"]
    assert (done["attempt"], done["payload"]["config"]["weight_bits"]) == (1, 8)
    assert "memory ran out" in done["stepped_down"]
    assert "8-bit weights" in done["stepped_down"]
    assert told["config"]["weight_bits"] == 8
    assert [point["step"] for point in curve] == list(range(1, 25))


def test_it_does_so_only_once(tmp_path: Path) -> None:
    with house(tmp_path, **OUT_OF_VRAM) as (rest, _):
        job = train(rest)
        with pytest.raises(Exception, match="memory ran out"):
            rest.wait(job, quietly, LIMIT)
        failed = rest.get(f"/api/jobs/{job['id']}")
    assert (failed["status"], failed["payload"]["config"]["weight_bits"]) == ("failed", 8)
    assert failed["error"]["hint"].startswith("Choose a smaller resolution")
