"""The preflight as the screen's script draws it: what was asked in short lines, and the oracle's answer."""

from __future__ import annotations

import json
from typing import Any

from isengard.domain.preflight import Preflight
from isengard.plugins.presets import PresetOrigin
from isengard.services.house import Isengard


def told(isengard: Isengard, report: Preflight) -> str:
    """Return JSON for the script."""
    return json.dumps({"facts": facts(isengard, report), "report": report.model_dump(mode="json")})


def facts(isengard: Isengard, report: Preflight) -> list[str]:
    """Say what would be trained, in short lines."""
    config = report.request.config
    name = isengard.characters.get(report.request.character_id).name
    edges = ", ".join(str(edge) for edge in config.resolutions or (config.resolution,))
    count = config.image_count or 0
    batch = config.batch_size or 1
    batches = f"batches of {batch}" if batch > 1 else "one picture a step"
    return [
        f"{config.steps:,} steps on {count} {'picture' if count == 1 else 'pictures'} of {name}",
        f"Rank {config.lora_rank}, learning rate {config.learning_rate:g}, {batches} at {edges} pixels",
        f"A checkpoint every {config.save_every} steps, samples every {config.sample_every}",
        f"Trained by {report.backend} on {report.machine}",
    ]


def origin(preset: PresetOrigin, steps: int | None, images: int | None) -> dict[str, Any]:
    """Return what the script says below the presets."""
    said = f"{steps or preset.steps:,} steps"
    if preset.steps_per_image:
        each = f"{preset.steps_per_image} for each of {images or 'its'} pictures"
        said += f": {each}, between {preset.min_steps:,} and {preset.max_steps:,}"
    return {"steps": said, "source": preset.source, "confidence": preset.confidence}
