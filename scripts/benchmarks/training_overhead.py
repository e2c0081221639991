"""A training through Isengard over the same training called directly, both on warm engines, in turn."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from direct import Direct, Listener, context
from figures import Figure
from house import House
from own_app import OwnApp
from scope import Scope

from isengard.domain.lease import GpuLease
from isengard.domain.request import TrainingRequest
from isengard.plugins.protocols import TrainingRun
from plugins.diffusers.training import DiffusersTraining

WARM_UP_STEPS = 2
CANCEL_SECONDS = 3.0  # within which a cancelled job has left the cores
BASE_MODEL = "pocket"


def measure(scope: Scope) -> list[Figure]:
    """Return the ratio of the medians, and both medians."""
    through: list[float] = []
    direct: list[float] = []
    rounds, steps = scope.pick(6, 2), scope.pick(200, 40)
    volume = scope.folder / "volume"
    with OwnApp(volume) as app, Direct() as engine:
        house = House(app.url, volume)
        for folder, steps in [("warm", WARM_UP_STEPS), *((f"round-{n}", steps) for n in range(rounds))]:
            one, other = _one(house, engine, scope.folder / folder, steps, direct_first=len(through) % 2 == 1)
            through.append(one)
            direct.append(other)
    ours, theirs = statistics.median(through[1:]), statistics.median(direct[1:])
    how = f"{steps} steps on 12 pictures, median of {rounds} in turn, each way first in half of them"
    return [
        Figure("training", "Isengard over direct", ours / theirs, "x", 1.02, detail=how),
        Figure("training", "through Isengard, submit to completed", ours, "s", samples=through[1:]),
        Figure("training", "engine called directly", theirs, "s", samples=direct[1:]),
    ]


def _one(house: House, engine: Direct, folder: Path, steps: int, *, direct_first: bool) -> tuple[float, float]:
    """Train once each way with the same configuration; return both times in seconds."""
    config = {"base_model": BASE_MODEL, "preset": "quick", "steps": steps}
    request = {"character_id": house.character["id"], "config": config}
    if direct_first:
        planned = house.rest.post("/api/training", json=request)  # tells what Isengard makes of the request
        house.rest.post(f"/api/training/{planned['id']}/cancel")
        time.sleep(CANCEL_SECONDS)
        direct = engine.seconds("train", _arguments(house, planned, folder))
        return house.timed("training", request)[0], direct
    seconds, job = house.timed("training", request)
    return seconds, engine.seconds("train", _arguments(house, job, folder))


def _arguments(house: House, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what Isengard told its engine for this job, with the same pictures in a folder of our own."""
    listener = Listener()
    backend = DiffusersTraining(context(folder), listener)  # type: ignore[arg-type]  # it only calls run
    run = TrainingRun(
        job_id=job["id"],
        correlation_id=job["correlation_id"],
        request=TrainingRequest.model_validate(job["payload"]),
        base_model=house.base_model(BASE_MODEL),
        base_model_sha256="",
        trigger_word=house.character["trigger_word"],
        dataset=house.dataset(folder / "dataset"),
        dataset_hash="",
        work_dir=folder / "work",
    )
    list(backend.train(run, GpuLease(job["id"], backend.needs(run.request, run.base_model))))
    return listener.arguments
