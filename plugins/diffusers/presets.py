"""Reads ``sota/presets/{family}.yml`` and fills in what a request left open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import BackendUnavailable

SAMPLES_PER_RUN = 4
CHECKPOINTS_PER_RUN = 4
FEWEST_STEPS_BETWEEN = 20  # closer together, samples would take longer than the training


def presets(project_root: Path, base: BaseModelRow) -> dict[str, dict[str, Any]]:
    """Return the family's presets by name."""
    path = project_root / "sota" / "presets" / f"{base.family}.yml"
    if not path.exists():
        raise BackendUnavailable(f"There are no training presets for {base.name}.", f"Add {path.name}.")
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def filled(request: TrainingRequest, base: BaseModelRow, preset: dict[str, Any]) -> TrainingRequest:
    """Return the request with every field set."""
    config = request.config
    rank = config.lora_rank or preset["rank"]
    steps = config.steps or preset["steps"]
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
