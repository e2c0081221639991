"""The pictures of a generation: each one's own request, worked out from the whole."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from isengard.domain.base import Value
from isengard.domain.request import GenerationRequest, GridAxis, LoraUse
from isengard.errors import InvalidInput

SEEDS = 2**32


class Shot(Value):
    """One picture. ``request`` says it all: one picture, its own seed, no grid. ``cell`` is its (column, row)."""

    index: int
    request: GenerationRequest
    cell: tuple[int, int] | None = None


def shots_of(request: GenerationRequest) -> tuple[Shot, ...]:
    """Return the pictures in order; a grid goes row by row. Raise InvalidInput when a grid's value cannot be used."""
    if request.grid:
        return tuple(_cells(request))
    seed = request.seed or 0
    prompts = request.prompts or (request.prompt,) * request.count
    return tuple(
        Shot(index=n, request=_one(request, prompt=prompt, seed=(seed + n) % SEEDS)) for n, prompt in enumerate(prompts)
    )


def _one(request: GenerationRequest, **changes: Any) -> GenerationRequest:
    return request.model_copy(update={"count": 1, "prompts": (), "grid": None, **changes})


def _cells(request: GenerationRequest) -> list[Shot]:
    grid = request.grid
    assert grid is not None
    found: list[Shot] = []
    rows = range(len(grid.y.values)) if grid.y else range(1)
    for row in rows:
        for column in range(len(grid.x.values)):
            made = _changed(_one(request, seed=request.seed or 0), grid.x, column)
            made = _changed(made, grid.y, row) if grid.y else made
            found.append(Shot(index=len(found), request=made, cell=(column, row)))
    return found


def _changed(request: GenerationRequest, axis: GridAxis, place: int) -> GenerationRequest:
    value = axis.values[place]
    changes = _REPLACED[axis.field](request, axis, value) if axis.field in _REPLACED else {axis.field: value}
    try:
        return GenerationRequest.model_validate(request.model_dump() | changes)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InvalidInput(
            f"The grid cannot use {value!r} for {axis.field}: {reason}.", "Change that value."
        ) from error


def _with_lora(request: GenerationRequest, _axis: GridAxis, value: Any) -> dict[str, Any]:
    first = request.loras[0].strength if request.loras else request.lora_strength
    return {"loras": (LoraUse(id=str(value), strength=first), *request.loras[1:])}


def _with_strength(request: GenerationRequest, _axis: GridAxis, value: Any) -> dict[str, Any]:
    if not request.loras:
        raise InvalidInput("The grid changes a LoRA's strength, but no LoRA is chosen.", "Choose a character or LoRA.")
    first = {"id": request.loras[0].id, "strength": value}
    return {"loras": (first, *(use.model_dump() for use in request.loras[1:]))}


def _with_words(request: GenerationRequest, axis: GridAxis, value: Any) -> dict[str, Any]:
    sought = str(axis.values[0])
    if sought not in request.prompt:
        raise InvalidInput(
            f"The prompt does not say '{sought}', which the grid is to replace.",
            "Let the first value be words of the prompt; the further ones take their place.",
        )
    return {"prompt": request.prompt.replace(sought, str(value))}


_REPLACED = {"lora": _with_lora, "lora_strength": _with_strength, "prompt": _with_words}
