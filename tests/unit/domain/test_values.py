"""Requests and other values refuse what cannot be meant."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from isengard.domain.base import Value
from isengard.domain.character import CharacterPatch, NewCharacter
from isengard.domain.event import Metric
from isengard.domain.request import MAX_PROMPT_CHARS, GenerationRequest, LoraUse, TrainingConfig, TrainingRequest
from isengard.errors import BackendOutput, Fenced, IsengardError, NotFound, QueueUnavailable


def refused(model: type[Value], **fields: Any) -> str:
    with pytest.raises(ValidationError) as error:
        model.model_validate(fields)
    return str(error.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": -1},
        {"steps": 0},
        {"steps": 100_001},
        {"steps": math.nan},
        {"steps": 1.5},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"learning_rate": -1e-4},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"lora_rank": 0},
        {"lora_alpha": math.nan},
        {"batch_size": 0},
        {"gradient_accumulation": -2},
        {"resolution": 100},
        {"resolution": -64},
        {"save_every": 0},
        {"seed": -1},
        {"seed": 2**32},
        {"preset": "slow"},
        {"method": "dreambooth"},
        {"sample_prompts": ["x"] * 9},
        {"sample_prompts": ["x" * 100_000]},
        {"stpes": 10},
    ],
    ids=str,
)
def test_a_training_config_refuses_what_cannot_be_meant(fields: dict[str, Any]) -> None:
    assert next(iter(fields)) in refused(TrainingConfig, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": " \n\t "},
        {"prompt": "x" * 100_000},
        {"prompt": "half a pair: \ud800"},
        {"negative_prompt": "x" * (MAX_PROMPT_CHARS + 1)},
        {"steps": -4},
        {"steps": 201},
        {"guidance_scale": math.nan},
        {"guidance_scale": -1},
        {"width": 0},
        {"width": 65},
        {"height": 10_000},
        {"count": 0},
        {"count": 65},
        {"seed": -7},
        {"lora_strength": math.inf},
        {"loras": [{"id": "lora-1", "strength": math.nan}]},
        {"loras": [{"id": "lora-1", "weight": 1}]},
        {"loras": [{"id": "lora-1"}] * 9},
        {"promt": "x"},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_generation_request_refuses_what_cannot_be_meant(fields: dict[str, Any]) -> None:
    named = next(iter(fields))
    told = refused(GenerationRequest, **{"prompt": "a face", **fields})
    assert ("prompt is empty" if fields.get("prompt", "x").isspace() else named) in told


def test_a_training_request_names_its_character() -> None:
    assert "character_id" in refused(TrainingRequest)
    assert "character_id" in refused(TrainingRequest, character_id="")
    assert "charcter" in refused(TrainingRequest, character_id="char-1", charcter="x")


def test_a_longest_prompt_is_taken() -> None:
    assert len(GenerationRequest(prompt="x" * MAX_PROMPT_CHARS).prompt) == MAX_PROMPT_CHARS


def test_numbers_that_are_not_finite_stay_out_of_events_too() -> None:
    assert "loss" in refused(Metric, step=1, total_steps=2, loss=math.nan, learning_rate=1e-4)


@pytest.mark.parametrize("name", ["", "x" * 81])
def test_a_name_has_1_to_80_characters(name: str) -> None:
    assert "name" in refused(NewCharacter, name=name, trigger_word="ohwx")
    assert "name" in refused(CharacterPatch, name=name)


def test_consent_is_one_of_three_words() -> None:
    assert "consent" in refused(NewCharacter, name="Zara", trigger_word="ohwx", consent="maybe")


def test_values_do_not_change() -> None:
    use = LoraUse(id="lora-1")
    with pytest.raises(ValidationError, match="frozen"):
        use.strength = 2  # type: ignore[misc]


def test_errors_say_whether_another_try_may_help() -> None:
    assert QueueUnavailable("x").retryable
    for error in (NotFound("x"), BackendOutput("x"), Fenced("x"), IsengardError("x")):
        assert not error.retryable
    assert (NotFound("gone", "look again").message, NotFound("gone", "look again").hint) == ("gone", "look again")
