"""A training through Isengard over the same training called directly, both on warm engines, in turn."""

from __future__ import annotations

import statistics
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
BASE_MODEL = "pocket"


def measure(scope: Scope) -> list[Figure]:
    """Return the ratio of the medians, and both medians."""
    through: list[float] = []
    direct: list[float] = []
    volume = scope.folder / "volume"
    with OwnApp(volume) as app, Direct() as engine:
        house = House(app.url, volume)
        _one(house, engine, scope.folder / "warm", WARM_UP_STEPS)
        for number in range(scope.pick(5, 2)):
            one, other = _one(house, engine, scope.folder / f"round-{number}", scope.pick(200, 40))
            through.append(one)
            direct.append(other)
    ours, theirs = statistics.median(through), statistics.median(direct)
    how = f"{scope.pick(200, 40)} steps on 12 pictures, median of {len(through)} in turn"
    return [
        Figure("training", "Isengard over direct", ours / theirs, "x", 1.02, detail=how),
        Figure("training", "through Isengard, submit to completed", ours, "s", samples=through),
        Figure("training", "engine called directly", theirs, "s", samples=direct),
    ]


def _one(house: House, engine: Direct, folder: Path, steps: int) -> tuple[float, float]:
    """Train once each way with the same configuration; return both times in seconds."""
    config = {"base_model": BASE_MODEL, "preset": "quick", "steps": steps}
    seconds, job = house.timed("training", {"character_id": house.character["id"], "config": config})
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
