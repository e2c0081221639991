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
    rounds, steps = scope.pick(6, 2), scope.pick(200, 40)
    volume = scope.folder / "volume"
    with OwnApp(volume) as app, Direct() as engine:
        house = House(app.url, volume)
        request: dict[str, Any] = {
            "character_id": house.character["id"],
            "config": {"base_model": BASE_MODEL, "preset": "quick"},
        }
        request["config"]["steps"] = WARM_UP_STEPS
        _, job = house.timed("training", request)
        engine.seconds("train", _arguments(house, job, scope.folder / "warm"))
        request["config"]["steps"] = steps
        for number in range(rounds):
            folder = scope.folder / f"round-{number}"
            if number % 2:  # with the job of the round before
                direct.append(engine.seconds("train", _arguments(house, job, folder)))
            seconds, job = house.timed("training", request)
            through.append(seconds)
            if number % 2 == 0:
                direct.append(engine.seconds("train", _arguments(house, job, folder)))
    ours, theirs = statistics.median(through), statistics.median(direct)
    how = f"{steps} steps on 12 pictures, median of {rounds} in turn, each way first in half of them"
    return [
        Figure("training", "Isengard over direct", ours / theirs, "x", 1.02, detail=how),
        Figure("training", "through Isengard, submit to completed", ours, "s", samples=through),
        Figure("training", "engine called directly", theirs, "s", samples=direct),
    ]


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
