"""Generations: find the LoRA, draw the seed, fill what was left out, make the job."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from isengard.domain.base_model import BaseModelRow
from isengard.domain.job import Job
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, LoraUse
from isengard.errors import Conflict, InvalidInput
from isengard.infra.gpu import Arbiter
from isengard.infra.library import CharacterShelf, LoraShelf
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.observability import correlation_id
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice

TITLE_CHARS = 60


@dataclass(frozen=True)
class Generation:
    """The request that is stored has every field filled, the seed included, so that it can be made again."""

    characters: CharacterShelf
    loras: LoraShelf
    storage: Storage
    queue: Queue
    plugins: Plugins
    arbiter: Arbiter
    choice: BaseModelChoice

    def submit(self, request: GenerationRequest, idempotency_key: str | None = None) -> Job:
        """Queue a generation; raise Conflict when the character has no LoRA, InvalidInput when one does not fit."""
        filled, base = self.filled(request)
        backend = self.plugins.image_for(base)
        for use in filled.loras:
            backend.check_lora(self.loras.path(self.loras.get(use.id)), base)
        self.arbiter.check(backend.needs(filled, base))
        self.storage.require_space()
        words = filled.prompt if len(filled.prompt) <= TITLE_CHARS else filled.prompt[: TITLE_CHARS - 1] + "…"
        count = f"{filled.count} pictures" if filled.count > 1 else "1 picture"
        return self.queue.submit(Job.of(filled, correlation_id(), f"{count}: {words}"), idempotency_key)

    def filled(self, request: GenerationRequest) -> tuple[GenerationRequest, BaseModelRow]:
        """Return the request with every field filled, and its base model."""
        uses = request.loras or self._of_character(request)
        loras = [self.loras.get(use.id) for use in uses]
        base = self.choice.for_images(request.base_model or _base_of(loras))
        _check_fit(loras, base, self.choice)
        seed = request.seed if request.seed is not None else random.randrange(2**32)
        backend = self.plugins.image_for(base)
        named = request.model_copy(update={"loras": uses, "seed": seed, "base_model": base.id})
        self._check_sampler(named, backend.samplers(base))
        return backend.defaults(named, base), base

    def _of_character(self, request: GenerationRequest) -> tuple[LoraUse, ...]:
        if not request.character_id:
            return ()
        character = self.characters.get(request.character_id)
        newest = self.loras.newest(character.id)
        if newest is None:
            raise Conflict(
                f"{character.name} has no LoRA yet.", "Train one in the Training tab, or generate without a character."
            )
        return (LoraUse(id=newest.id, strength=request.lora_strength),)

    def _check_sampler(self, request: GenerationRequest, known: Sequence[str]) -> None:
        if request.sampler and request.sampler not in known:
            raise InvalidInput(f"There is no sampler '{request.sampler}' here.", f"Choose one of: {', '.join(known)}.")

    def samplers(self, base_model: str = "") -> Sequence[str]:
        """Return the samplers of the base model's backend."""
        base = self.choice.for_images(base_model)
        return self.plugins.image_for(base).samplers(base)

    def defaults(self, base_model: str = "", *, with_lora: bool = False) -> GenerationRequest:
        """Return what empty fields become."""
        base = self.choice.for_images(base_model)
        uses = (LoraUse(id="any"),) if with_lora else ()
        return self.plugins.image_for(base).defaults(GenerationRequest(prompt="any", loras=uses), base)


def _base_of(loras: Sequence[Lora]) -> str:
    return loras[0].base_model if loras else ""


def _check_fit(loras: Sequence[Lora], base: BaseModelRow, choice: BaseModelChoice) -> None:
    for lora in loras:
        family = choice.registry.get(lora.base_model).family
        if family != base.family:
            raise InvalidInput(
                f"{lora.label} was trained on {lora.base_model}; it does not fit {base.name}.",
                f"Choose {lora.base_model} as the base model, or a LoRA that was trained on {base.id}.",
            )
