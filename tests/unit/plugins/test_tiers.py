"""The ladder of settings: every tier takes less memory than the one above it, and says what is changed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.infra.sota import read_registry
from isengard.plugins.tiers import in_words, next_tier_down, scarce, tiers
from plugins.aitoolkit.training import AiToolkitTraining
from tests.unit.services.large import FLUX, aitoolkit, lay_model


@pytest.fixture
def flux(project_root: Path) -> BaseModelRow:
    return next(row for row in read_registry(project_root / "sota" / "registry.yml") if row.id == "flux-dev")


@pytest.fixture
def backend(project_root: Path, tmp_path: Path) -> AiToolkitTraining:
    lay_model(tmp_path / "models" / "flux-dev", FLUX)
    return aitoolkit(project_root, tmp_path / "models", tmp_path / "checkout")


def asked(**config: object) -> TrainingRequest:
    wishes = {"base_model": "flux-dev", "image_count": 20, **config}
    return TrainingRequest(character_id="char-x", config=TrainingConfig.model_validate(wishes))


def test_each_tier_needs_less_and_keeps_what_was_asked(backend: AiToolkitTraining, flux: BaseModelRow) -> None:
    request = asked(weight_bits=16, text_encoder_bits=16, batch_size=4, resolutions=[1024], steps=777)
    above = scarce(backend.needs(request, flux), "cuda")
    found = list(tiers(backend, request, flux, "cuda"))
    assert len(found) > 6
    for tier in found:
        assert tier.needs.vram_gb < above
        assert tier.request.config.steps == 777
        above = tier.needs.vram_gb
    assert found[0].changed == {"batch_size": 2, "gradient_accumulation": 2}
    assert above < 8  # GB, of 43 at the top


def test_a_run_that_ran_out_steps_down_until_nothing_is_left(backend: AiToolkitTraining, flux: BaseModelRow) -> None:
    request: TrainingRequest | None = asked(preset="best")
    seen = []
    while request:
        seen.append(scarce(backend.needs(request, flux), "cuda"))
        assert backend.defaults(request, flux).config.lora_rank == 32  # its checkpoint can be gone on from
        request = next_tier_down(backend, request, flux, "cuda")
    assert len(seen) > 3
    assert all(below <= 0.95 * above for above, below in pairwise(seen))


def test_on_a_processor_only_what_helps_there_is_changed(backend: AiToolkitTraining, flux: BaseModelRow) -> None:
    request = asked(precision="fp32", batch_size=2)
    below = next_tier_down(backend, request, flux, "cpu")
    assert below is None or not {"weight_bits", "low_vram"} & below.config.model_dump(exclude_defaults=True).keys()
    assert all("weight_bits" not in tier.changed for tier in tiers(backend, request, flux, "cpu"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight_bits": 8}, "8-bit weights"),
        ({"resolutions": (512, 768), "weight_bits": 8}, "768 px with 8-bit weights"),
        ({"resolution": 96}, "96 px"),
        ({"batch_size": 1, "gradient_accumulation": 4, "lora_rank": 16}, "a batch of 1 and rank 16"),
        (
            {"weight_bits": 4, "cache_text_embeddings": True, "caption_dropout": 0.0, "layer_offloading": 0.5},
            "4-bit weights, captions read once and 50 % of the layers in main memory",
        ),
    ],
)
def test_changes_are_put_into_words(changes: dict[str, object], words: str) -> None:
    assert in_words(changes) == words
