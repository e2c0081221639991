"""Eight images through Isengard over the same images called directly, both on warm engines, in turn."""

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
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest
from isengard.plugins.protocols import ImageRun, LoraFile
from plugins.diffusers.images import DiffusersImages

IMAGES = 8
BASE_MODEL = "pocket"
LORA_STEPS = 5  # its quality does not matter here


def measure(scope: Scope) -> list[Figure]:
    """Return the ratio of the medians, and both medians."""
    through: list[float] = []
    direct: list[float] = []
    volume = scope.folder / "volume"
    with OwnApp(volume) as app, Direct() as engine:
        house = House(app.url, volume)
        config = {"base_model": BASE_MODEL, "preset": "quick", "steps": LORA_STEPS}
        house.timed("training", {"character_id": house.character["id"], "config": config})
        for number in range(1 + scope.pick(9, 3)):
            one, other = _one(house, engine, scope.folder / f"round-{number}", number)
            if number:  # the first warms both engines
                through.append(one)
                direct.append(other)
    ours, theirs = statistics.median(through), statistics.median(direct)
    how = f"{IMAGES} images with a LoRA, scored and kept with their settings; median of {len(through)} in turn"
    return [
        Figure("images", "Isengard over direct", ours / theirs, "x", 1.05, detail=how),
        Figure("images", "through Isengard, submit to completed", ours, "s", samples=through),
        Figure("images", "engine called directly", theirs, "s", samples=direct),
    ]


def _one(house: House, engine: Direct, folder: Path, seed: int) -> tuple[float, float]:
    """Draw once each way with the same settings; return both times in seconds."""
    character = house.character
    prompt = f"a picture of {character['trigger_word']} on a beach"
    request = {"prompt": prompt, "character_id": character["id"], "count": IMAGES, "seed": seed}
    seconds, job = house.timed("generation", request)
    return seconds, engine.seconds("generate", _arguments(house, job, folder))


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
