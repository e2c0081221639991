"""Eight images through Isengard over the same work called directly, both on warm engines, in turn.

With a LoRA, Isengard also scores each picture's face; so does the direct call, with the same analyzer. Without one
there is nothing to score, and what is left is what Isengard itself costs.
"""

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
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest
from isengard.plugins.protocols import FaceAnalyzer, ImageRun, LoraFile
from plugins.diffusers.images import DiffusersImages
from plugins.faces import backends

IMAGES = 8
BASE_MODEL = "pocket"
LORA_STEPS = 5  # its quality does not matter here


def measure(scope: Scope) -> list[Figure]:
    """Return the ratios of the medians, and the medians."""
    volume = scope.folder / "volume"
    faces = next(one for one in backends(context(scope.folder)) if one.status().available)
    with OwnApp(volume) as app, Direct() as engine:
        house = House(app.url, volume)
        config = {"base_model": BASE_MODEL, "preset": "quick", "steps": LORA_STEPS}
        house.timed("training", {"character_id": house.character["id"], "config": config})
        trigger = {"prompt": f"a picture of {house.character['trigger_word']} on a beach"}
        with_lora = trigger | {"character_id": house.character["id"]}
        scored = _raced(house, engine, faces, scope, with_lora)
        plain = _raced(house, engine, None, scope, {"prompt": "a picture of a woman on a beach"})
    return [*_figures("drawn with a LoRA and scored", *scored), *_figures("drawn", *plain)]


def _figures(what: str, through: list[float], direct: list[float]) -> list[Figure]:
    ours, theirs = statistics.median(through), statistics.median(direct)
    how = f"{IMAGES} images, kept with their settings; median of {len(through)} in turn"
    return [
        Figure("images", f"Isengard over direct, {what}", ours / theirs, "x", 1.05, detail=how),
        Figure("images", f"through Isengard, submit to completed, {what}", ours, "s", samples=through),
        Figure("images", f"called directly, {what}", theirs, "s", samples=direct),
    ]


def _raced(
    house: House, engine: Direct, faces: FaceAnalyzer | None, scope: Scope, wanted: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Draw again and again, once each way with the same settings; return both ways' times in seconds."""
    through: list[float] = []
    direct: list[float] = []
    for seed in range(1 + scope.pick(9, 3)):
        folder = scope.folder / f"{'scored' if faces else 'drawn'}-{seed}"
        ours, job = house.timed("generation", wanted | {"count": IMAGES, "seed": seed})
        arguments = _arguments(house, job, folder)
        started = time.perf_counter()
        engine.seconds("generate", arguments)
        if faces:
            for picture in sorted((folder / "work").glob("picture-*.png")):
                faces.faces(picture)
        if seed:  # the first warms both
            through.append(ours)
            direct.append(time.perf_counter() - started)
    return through, direct


def _arguments(house: House, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what Isengard told its engine for this job, with a work folder of our own."""
    request = GenerationRequest.model_validate(job["payload"])
    listener = Listener()
    backend = DiffusersImages(context(folder), listener)  # type: ignore[arg-type]  # it only calls run
    files = [_file(house, use.id, use.strength, folder) for use in request.loras]
    base = house.base_model(BASE_MODEL)
    run = ImageRun(job["id"], job["correlation_id"], request, base, files, folder / "work")
    list(backend.generate(run, GpuLease(job["id"], backend.needs(request, base))))
    return listener.arguments


def _file(house: House, lora_id: str, strength: float, folder: Path) -> LoraFile:
    lora = Lora.model_validate(house.rest.get(f"/api/loras/{lora_id}"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{lora.id}.safetensors"
    path.write_bytes(house.rest.fetch(f"/api/loras/{lora_id}/file"))
    return LoraFile(lora, path, strength)
