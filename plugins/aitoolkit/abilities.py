"""Which settings AI-Toolkit heeds for a base model; of the others it takes any value and does nothing with it."""

from __future__ import annotations

from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import TrainingConfig
from isengard.plugins.presets import origins
from isengard.plugins.protocols import TrainingAbilities
from plugins.aitoolkit.archs import arch_of
from plugins.aitoolkit.presets import ON_CPU, presets

FILLED_IN = {"method", "base_model", "preset", "image_count", "resolution"}  # resolutions takes its place
NO_FLOW = {"timestep_type"}  # DDPM has no choice of noise levels


def abilities_of(project_root: Path, base: BaseModelRow, device: str) -> TrainingAbilities:
    """Return the settings that have an effect, and the presets' origins; raise InvalidInput for an unknown model."""
    arch = arch_of(base)
    without = set(FILLED_IN)
    if not arch.alpha:
        without |= {"lora_alpha"}
    if not arch.flow:
        without |= NO_FLOW
    if not (arch.built_in and arch.alpha):  # its newer loaders train the transformer alone
        without |= {"train_text_encoder"}
    if device == "cpu":
        without |= ON_CPU.keys()
    return TrainingAbilities(frozenset(TrainingConfig.model_fields) - without, origins(presets(project_root, base)))
