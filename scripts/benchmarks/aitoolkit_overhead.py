"""A training with AI-Toolkit through Isengard over the same config given to the same trainer directly, in turn.

The trainer is the stand-in of the tests: it speaks, logs and saves as the real one and takes a tenth of a second a
step, so that what Isengard adds is not lost in how long a CPU takes for the same step twice.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aitoolkit_kills as kills
import yaml
from figures import Figure
from house import House
from own_app import ROOT, OwnApp
from scope import Scope

from plugins.aitoolkit.channels import JobTable
from plugins.aitoolkit.trainer import ENVIRONMENT

sys.path.insert(0, str(ROOT))
from tests.aitoolkit.bench import DOUBLE, PLAN

STEP_SECONDS = 0.1
SAVES = 4  # of a training, as a preset asks for between two and eight


def measure(scope: Scope) -> list[Figure]:
    """Return the ratio of the medians, both medians, and what was added."""
    rounds, steps = scope.pick(3, 2), scope.pick(600, 100)
    volume = scope.folder / "volume"
    options = argparse.Namespace(real=False, step_seconds=STEP_SECONDS)
    environment = kills.environment(scope.folder, options)
    kills.place_base(volume / "comfyui" / "models" / kills.BASE, real=False)
    through: list[float] = []
    direct: list[float] = []
    with OwnApp(volume, **environment) as app:
        house = House(app.url, volume)
        config = {"base_model": kills.BASE, "steps": 12, "save_every": 4, "lora_rank": 16, "optimizer": "adamw"}
        request: dict[str, Any] = {"character_id": house.character["id"], "config": config}
        house.timed("training", request)  # both are warm
        config |= {"steps": steps, "save_every": steps // SAVES, "sample_every": steps // SAVES}
        for number in range(rounds):
            seconds, job = house.timed("training", request)
            through.append(seconds)
            given = volume / "work" / job["id"] / "aitoolkit" / "training.yaml"
            direct.append(_direct(given, house, scope.folder / f"round-{number}", environment))
    ours, theirs = statistics.median(through), statistics.median(direct)
    how = f"stand-in trainer, {steps} steps of {STEP_SECONDS} s, {SAVES} saves; median of {rounds} in turn"
    added = [(one - other) * 1000 for one, other in zip(through, direct, strict=True)]
    return [
        Figure("aitoolkit", "Isengard over the trainer called directly", ours / theirs, "x", 1.01, detail=how),
        Figure("aitoolkit", "added to a training", statistics.median(added), "ms", samples=added),
        Figure("aitoolkit", "through Isengard, submit to completed", ours, "s", samples=through),
        Figure("aitoolkit", "trainer called directly", theirs, "s", samples=direct),
    ]


def _direct(given: Path, house: House, folder: Path, environment: dict[str, str]) -> float:
    """Give the trainer the config that Isengard gave it, in a folder of our own; return how long it took."""
    recipe = yaml.safe_load(given.read_text(encoding="utf-8"))
    process = recipe["config"]["process"][0]
    folder.mkdir(parents=True)
    house.dataset(folder / "pictures")
    process |= {"training_folder": str(folder), "sqlite_db_path": str(folder / "job.db")}
    process["datasets"][0]["folder_path"] = str(folder / "pictures")
    config = folder / "training.yaml"
    config.write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), encoding="utf-8")
    JobTable(folder / "job.db").create()
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-u", str(DOUBLE / "run.py"), str(config)],
        env={**os.environ, **ENVIRONMENT, PLAN: environment[PLAN]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.perf_counter() - started
    shutil.rmtree(folder)
    return seconds
