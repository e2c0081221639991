"""Fills in from a preset what a request left open."""

from __future__ import annotations

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.plugins.presets import Preset, steps_of

SAMPLES_PER_RUN = 4
CHECKPOINTS_PER_RUN = 4
FEWEST_STEPS_BETWEEN = 20  # closer together, samples would take longer than the training


def filled(request: TrainingRequest, base: BaseModelRow, preset: Preset) -> TrainingRequest:
    """Return the request with every field set."""
    config = request.config
    rank = config.lora_rank or preset["rank"]
    steps = config.steps or steps_of(preset, config.image_count)
    changes = {
        "base_model": base.id,
        "steps": steps,
        "learning_rate": config.learning_rate or preset["learning_rate"],
        "lora_rank": rank,
        "lora_alpha": config.lora_alpha or preset["alpha"] * rank / preset["rank"],
        "batch_size": config.batch_size or preset["batch_size"],
        "resolution": config.resolution or base.resolution,
        "save_every": config.save_every or max(FEWEST_STEPS_BETWEEN, steps // CHECKPOINTS_PER_RUN),
        "sample_every": config.sample_every or max(FEWEST_STEPS_BETWEEN, steps // SAMPLES_PER_RUN),
    }
    return request.model_copy(update={"config": TrainingConfig.model_validate(config.model_dump() | changes)})
