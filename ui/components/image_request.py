"""From what was filled in to the requests of the jobs to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest
from isengard.domain.shot import shots_of
from isengard.errors import InvalidInput
from isengard.plugins.protocols import Abilities
from isengard.services.house import Isengard
from ui.components import choices
from ui.components.compare import cells, grid_of
from ui.components.image_form import Filled


def requests_of(isengard: Isengard, filled: Filled) -> list[GenerationRequest]:
    """Return a request for each job; raise InvalidInput when any of them cannot be made, so that none is queued."""
    prompts = filled.prompts
    if not any(prompt.strip() for prompt in prompts):
        raise InvalidInput("The prompt is empty.", "Say what the picture shows; the trigger word brings the character.")
    common = _usable(isengard, filled) | _who(isengard, filled.uses)
    grid = grid_of(filled.axes)
    if grid:
        common = {**common, "grid": grid, "count": 1}
    requests = [GenerationRequest.model_validate({**common, "prompt": prompt}) for prompt in prompts]
    for request in requests:
        shots_of(isengard.generation.filled(request)[0])
    return requests


def _usable(isengard: Isengard, filled: Filled) -> dict[str, Any]:
    """Leave out what is hidden because the base model has no use for it; a picture to start from is never hidden."""
    named = dict(filled.named)
    pick = filled.uses[0][0] if filled.uses else ""
    able = abilities(isengard, named.get("base_model", ""), pick, named.get("workflow", ""))
    if not able.negative_prompt:
        named.pop("negative_prompt", None)
    if not able.schedulers:
        named.pop("scheduler", None)
    if named.get("workflow") not in [choice.id for choice in able.workflows]:
        named.pop("workflow", None)
    if "init_image" not in named:
        named = {name: value for name, value in named.items() if name not in ("denoise", "upscale_by")}
    return named


def _who(isengard: Isengard, uses: Sequence[tuple[str, float]]) -> dict[str, Any]:
    if not uses:
        return {}
    if len(uses) == 1 and uses[0][0].startswith(choices.CHARACTER):
        return {"character_id": uses[0][0].removeprefix(choices.CHARACTER), "lora_strength": uses[0][1]}
    loras = [lora_of(isengard, pick) for pick, _ in uses]
    known = {value for _, value in choices.characters(isengard)}
    owner = loras[0].character_id
    return {
        "loras": [{"id": lora.id, "strength": use[1]} for lora, use in zip(loras, uses, strict=True)],
        "character_id": owner if owner in known else None,
    }


def lora_of(isengard: Isengard, pick: str) -> Lora:
    """Return the LoRA that is meant; raise InvalidInput when its character has none any more."""
    if pick.startswith(choices.LORA):
        return isengard.loras.get(pick.removeprefix(choices.LORA))
    character = isengard.characters.get(pick.removeprefix(choices.CHARACTER))
    versions = isengard.loras.list(character.id, limit=1).items
    if not versions:
        raise InvalidInput(f"{character.name} has no LoRA any more.", "Train it in the Training tab.")
    return versions[0]


def base_of(isengard: Isengard, base: str, pick: str) -> str:
    """Return the base model that is chosen, else the LoRA's own, else none."""
    return base or (lora_of(isengard, pick).base_model if pick else "")


def abilities(isengard: Isengard, base: str, pick: str, workflow: str = "") -> Abilities:
    """Return what can be done with the base model, and with the workflow where it has that one."""
    named = base_of(isengard, base, pick)
    able = isengard.generation.abilities(named)
    known = workflow in [choice.id for choice in able.workflows]
    return isengard.generation.abilities(named, workflow) if known else able


def triggers(isengard: Isengard, picked: Sequence[str | None]) -> list[str]:
    """Return the trigger words of what is chosen, each once."""
    words = [lora_of(isengard, pick).trigger_word for pick in picked if pick]
    return list(dict.fromkeys(word for word in words if word))


def promise(filled: Filled) -> str:
    """Return what the button says: how much will be made of what is filled in."""
    pictures, prompts = cells(filled.axes), len(filled.prompts)
    count = int(filled.named.get("count", 1))
    if pictures:
        each = f"a grid of {pictures} pictures" if prompts < 2 else f"{prompts} grids of {pictures} pictures"
        return f"Generate {each}"
    if prompts > 1:
        return f"Generate {prompts * count} pictures of {prompts} prompts"
    return f"Generate {count} pictures" if count > 1 else "Generate"
