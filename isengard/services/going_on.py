"""A training that goes on from a version: what follows from the version, and what cannot be changed any more."""

from __future__ import annotations

from isengard.domain.request import TrainingRequest
from isengard.errors import InvalidInput
from isengard.infra.library import LoraShelf
from isengard.services.choice import BaseModelChoice


def going_on(request: TrainingRequest, loras: LoraShelf, choice: BaseModelChoice) -> TrainingRequest:
    """Fill base model, rank and alpha from the version; raise InvalidInput for others, NotFound when it is gone."""
    if not request.start_from:
        return request
    lora = loras.get(request.start_from)
    config = request.config
    own, wanted = choice.registry.get(lora.base_model), config.base_model or lora.base_model
    if choice.registry.get(wanted).family != own.family:
        raise InvalidInput(
            f"{lora.label} was trained on {own.name}; it cannot go on on another base model.",
            f"Choose {own.name}, or start from nothing.",
        )
    if config.lora_rank and lora.rank and config.lora_rank != lora.rank:
        raise InvalidInput(
            f"{lora.label} has rank {lora.rank}; a training that goes on from it cannot change that.",
            "Leave the rank empty, or start from nothing.",
        )
    changes = {
        "base_model": wanted,
        "lora_rank": lora.rank or config.lora_rank,
        "lora_alpha": config.lora_alpha or lora.alpha or None,
    }
    return request.model_copy(update={"config": config.model_copy(update=changes)})
