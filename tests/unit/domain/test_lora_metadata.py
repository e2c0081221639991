"""What a trained file says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isengard.domain.lora import Lora
from isengard.domain.lora_metadata import metadata_of, tag_frequency
from isengard.infra.sota import read_registry

ROWS = {row.id: row for row in read_registry(Path(__file__).resolve().parents[3] / "sota" / "registry.yml")}


def trained(base_model: str) -> Lora:
    return Lora(
        id="lora-1",
        character_id="char-1",
        character_name="Zoë",
        version="v3",
        trigger_word="zvka",
        base_model=base_model,
        base_model_sha256="ab",
        rank=16,
        alpha=8,
        steps=500,
        image_count=12,
        job_id="train-1",
        config={"learning_rate": 1e-4, "steps": 600, "seed": 7, "resolution": 768, "optimizer": None},
        tag_frequency={"zvka": 12, "outdoors": 3},
    )


def test_kohya_s_names_carry_what_the_field_looks_for() -> None:
    told = metadata_of(trained("sdxl"), ROWS["sdxl"])
    assert all(isinstance(value, str) for value in told.values())
    expected = {
        "ss_network_dim": "16",
        "ss_network_alpha": "8",
        "ss_network_module": "networks.lora",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_sd_model_name": "sdxl",
        "ss_output_name": "Zoë v3",
        "ss_learning_rate": "0.0001",
        "ss_steps": "500",
        "ss_max_train_steps": "600",
        "ss_num_train_images": "12",
        "ss_resolution": "(768, 768)",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.trigger_phrase": "zvka",
        "modelspec.resolution": "768x768",
        "trigger_word": "zvka",
        "base_model": "sdxl",
    }
    assert {name: told[name] for name in expected} == expected
    assert json.loads(told["ss_tag_frequency"]) == {"1_zvka": {"zvka": 12, "outdoors": 3}}
    assert json.loads(told["isengard"])["job"] == "train-1"


def test_what_is_not_known_is_not_said() -> None:
    told = metadata_of(trained("pocket"), ROWS["pocket"])
    assert "ss_optimizer" not in told
    assert "None" not in told.values()


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.kind == "base_model"], ids=lambda row: row.id)
def test_every_base_model_has_an_architecture_of_its_own(row: object) -> None:
    assert metadata_of(trained(row.id), row)["modelspec.architecture"].endswith("/lora")  # type: ignore[attr-defined,arg-type]


def test_tags_are_the_parts_of_captions_most_frequent_first() -> None:
    found = tag_frequency(["zvka, outdoors, smiling", "zvka,  outdoors,", "zvka"])
    assert list(found.items()) == [("zvka", 3), ("outdoors", 2), ("smiling", 1)]
