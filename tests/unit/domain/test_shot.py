"""The pictures of a generation: seeds, prompts, and the cells of comparison grids."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from isengard.domain.request import MAX_PICTURES, GenerationRequest, LoraUse
from isengard.domain.shot import SEEDS, shots_of
from isengard.errors import InvalidInput


def request(**fields: Any) -> GenerationRequest:
    return GenerationRequest.model_validate({"prompt": "a hat in a garden", "seed": 5, **fields})


def axis(field: str, *values: str | float) -> dict[str, Any]:
    return {"field": field, "values": values}


def test_each_picture_has_the_next_seed_and_a_request_of_its_own() -> None:
    shots = shots_of(request(count=3, steps=9))
    assert [shot.index for shot in shots] == [0, 1, 2]
    assert [shot.request.seed for shot in shots] == [5, 6, 7]
    assert {(shot.request.count, shot.request.steps, shot.cell) for shot in shots} == {(1, 9, None)}


def test_seeds_start_over_after_the_last() -> None:
    assert [shot.request.seed for shot in shots_of(request(seed=SEEDS - 1, count=2))] == [SEEDS - 1, 0]


def test_each_picture_has_its_own_prompt() -> None:
    shots = shots_of(request(count=2, prompts=("one", "two")))
    assert [(shot.request.prompt, shot.request.prompts) for shot in shots] == [("one", ()), ("two", ())]


def test_a_grid_goes_row_by_row_with_one_seed() -> None:
    shots = shots_of(request(grid={"x": axis("steps", 4, 8, 12), "y": axis("guidance_scale", 2, 6.5)}))
    assert [shot.cell for shot in shots] == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    assert [(shot.request.steps, shot.request.guidance_scale) for shot in shots[2:4]] == [(12, 2.0), (4, 6.5)]
    assert {(shot.request.seed, shot.request.grid) for shot in shots} == {(5, None)}


def test_a_grid_may_have_one_row_and_may_change_the_seed() -> None:
    shots = shots_of(request(grid={"x": axis("seed", 1, 2)}))
    assert [(shot.cell, shot.request.seed) for shot in shots] == [((0, 0), 1), ((1, 0), 2)]


def test_a_grid_of_words_replaces_the_first_by_each() -> None:
    shots = shots_of(request(grid={"x": axis("prompt", "hat", "cap")}))
    assert [shot.request.prompt for shot in shots] == ["a hat in a garden", "a cap in a garden"]


def test_a_grid_of_loras_and_strengths_leaves_the_mixed_in_ones_alone() -> None:
    uses = (LoraUse(id="lora-a", strength=0.7), LoraUse(id="lora-c", strength=0.3))
    grid = {"x": axis("lora", "lora-a", "lora-b"), "y": axis("lora_strength", 0, 1)}
    shots = shots_of(request(loras=uses, grid=grid))
    firsts = [(shot.request.loras[0].id, shot.request.loras[0].strength) for shot in shots]
    assert firsts == [("lora-a", 0), ("lora-b", 0), ("lora-a", 1), ("lora-b", 1)]
    assert {shot.request.loras[1] for shot in shots} == {uses[1]}


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (axis("steps", 4, -1), "cannot use -1 for steps"),
        (axis("steps", "many"), "cannot use 'many' for steps"),
        (axis("lora_strength", 1), "no LoRA is chosen"),
        (axis("prompt", "coat", "cap"), "does not say 'coat'"),
        (axis("seed", 2**32), "for seed"),
    ],
)
def test_a_grid_that_cannot_be_made_says_which_value(x: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as told:
        shots_of(request(grid={"x": x}))
    assert told.value.hint


@pytest.mark.parametrize(
    "fields",
    [
        {"grid": {"x": axis("steps", *range(1, 21)), "y": axis("seed", *range(20))}},
        {"grid": {"x": axis("steps", 1), "y": axis("steps", 2)}},
        {"grid": {"x": axis("steps", 1)}, "count": 2},
        {"grid": {"x": axis("steps")}},
        {"count": MAX_PICTURES + 1},
        {"prompts": ("one", "two"), "count": 3},
        {"denoise": 0.5},
        {"upscale_by": 2},
        {"init_image": "img-1", "denoise": 0},
        {"init_image": "img-1", "upscale_by": 9},
    ],
)
def test_what_makes_no_sense_is_no_request(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**fields)


def test_the_task_follows_from_the_picture_to_start_from() -> None:
    tasks = [request().task, request(init_image="img-1").task, request(init_image="img-1", upscale_by=2).task]
    assert tasks == ["txt2img", "img2img", "upscale"]
