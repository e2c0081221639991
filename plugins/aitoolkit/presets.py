"""Fills in from a preset what a request left open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.plugins.presets import Preset, read_presets, steps_of
from plugins.aitoolkit.archs import find_arch

FEWEST_STEPS_BETWEEN = 20
SAVES_PER_RUN = 8  # the best is seldom the last
PLAIN = {  # of every model, unless its preset says otherwise
    "batch_size": 1,
    "optimizer": "adamw8bit",
    "weight_decay": 0.0001,
    "lr_scheduler": "constant",
    "warmup_steps": 0,
    "timestep_type": "sigmoid",
    "dropout": 0.0,
    "caption_dropout": 0.05,
    "ema_decay": 0.0,
    "preserve_class": "",
    "weight_bits": 16,
    "text_encoder_bits": 16,
    "low_vram": False,
    "layer_offloading": 0.0,
    "gradient_checkpointing": True,
    "cache_text_embeddings": False,
    "precision": "bf16",
}
ON_CPU = {"precision": "fp32", "weight_bits": 16, "text_encoder_bits": 16, "low_vram": False, "layer_offloading": 0.0}


def presets(project_root: Path, base: BaseModelRow) -> dict[str, Preset]:
    """Return the presets of a base model by name, every field of them set."""
    return {name: {**PLAIN, **preset} for name, preset in read_presets(project_root, base).items()}


def filled(request: TrainingRequest, base: BaseModelRow, preset: Preset) -> TrainingRequest:
    """Return the request with every field set."""
    config = request.config
    rank = config.lora_rank or preset["rank"]
    steps = config.steps or steps_of(preset, config.image_count)
    edges = config.resolutions or ((config.resolution,) if config.resolution else _edges(base, preset))
    between = max(FEWEST_STEPS_BETWEEN, round(steps / SAVES_PER_RUN, -1))
    changes = {
        "base_model": base.id,
        "steps": steps,
        "learning_rate": config.learning_rate or preset["learning_rate"],
        "lora_rank": rank,
        "lora_alpha": _alpha(config, base, preset, rank),
        "resolution": max(edges),
        "resolutions": edges,
        "save_every": config.save_every or between,
        "sample_every": config.sample_every or between,
        "sample_steps": config.sample_steps or preset["sample"]["steps"],
        "sample_guidance_scale": _or(config.sample_guidance_scale, preset["sample"]["guidance_scale"]),
    }
    changes |= {name: _or(getattr(config, name), preset[name]) for name in PLAIN}
    return request.model_copy(update={"config": TrainingConfig.model_validate(config.model_dump() | changes)})


def _edges(base: BaseModelRow, preset: Preset) -> tuple[int, ...]:
    return tuple(preset.get("resolutions", (base.resolution,)))


def _alpha(config: TrainingConfig, base: BaseModelRow, preset: Preset, rank: int) -> float:
    """Return the alpha; where the file keeps none, it is the rank, whatever is asked."""
    arch = find_arch(base)
    if arch and not arch.alpha:
        return float(rank)
    return float(config.lora_alpha or preset["alpha"] * rank / preset["rank"])


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
