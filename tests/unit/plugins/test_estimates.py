"""AI-Toolkit's estimates beside what is published: the GPU on which the usual settings are said to just work."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.infra.sota import read_registry
from plugins.aitoolkit.memory import needs_of
from plugins.aitoolkit.presets import filled, presets
from tests.unit.services.large import lay_model

# Model, GB of its denoiser and of its text encoders in 16 bits, preset, GB from and to. Sources: AI-Toolkit's FAQ and
# example configs (FLUX.1), makers' guides (SDXL, klein, Z-Image), diffusers' documentation (SD 1.5).
PUBLISHED = [
    ("sd15", 3.2, 0.46, "balanced", 6, 8),
    ("sdxl", 4.8, 1.53, "balanced", 10, 12),
    ("flux-dev", 22.2, 9.35, "best", 20, 24),
    ("z-image", 11.5, 7.5, "balanced", 9, 12),
    ("z-image", 11.5, 7.5, "best", 12, 16),
    ("flux2-klein-base-4b", 7.2, 7.5, "best", 10, 16),
    ("flux2-klein-base-9b", 17.0, 15.3, "best", 16, 24),
    ("krea2-raw", 24.0, 8.3, "best", 20, 24),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda one: f"{one[0]}-{one[3]}")
def test_estimates_agree_with_what_is_published(
    project_root: Path, tmp_path: Path, published: tuple[str, float, float, str, float, float]
) -> None:
    model, denoiser, texts, preset, low, high = published
    row = next(row for row in read_registry(project_root / "sota" / "registry.yml") if row.id == model)
    lay_model(tmp_path, {"transformer/a.safetensors": denoiser, "text_encoder/b.safetensors": texts})
    asked = TrainingConfig.model_validate({"base_model": model, "preset": preset, "image_count": 20})
    request = TrainingRequest(character_id="char-x", config=asked)
    config = filled(request, row, presets(project_root, row)[preset]).config
    assert low <= needs_of(config, tmp_path).vram_gb <= high
