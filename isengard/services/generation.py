"""Generations: find the LoRA, draw the seed, make the choices of wildcards, fill what was left out, make the job."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from isengard.domain.base_model import BaseModelRow
from isengard.domain.job import Job
from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, LoraUse
from isengard.domain.shot import Shot, shots_of
from isengard.errors import Conflict, InvalidInput
from isengard.infra.gpu import Arbiter
from isengard.infra.library import CharacterShelf, InputShelf, LoraShelf
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.observability import correlation_id
from isengard.plugins.protocols import Abilities, ImageBackend
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice
from isengard.services.wildcards import Wildcards

TITLE_CHARS = 60
EDGE_STEP = 8  # latent models take edges that are multiples of it
MAX_EDGE = 4096


@dataclass(frozen=True)
class Generation:
    """The request that is stored has every field filled, the seed included, so that it can be made again."""

    characters: CharacterShelf
    loras: LoraShelf
    inputs: InputShelf
    storage: Storage
    queue: Queue
    plugins: Plugins
    arbiter: Arbiter
    choice: BaseModelChoice
    wildcards: Wildcards

    def submit(self, request: GenerationRequest, idempotency_key: str | None = None) -> Job:
        """Queue a generation; raise Conflict when the character has no LoRA, InvalidInput when one does not fit."""
        filled, base = self.filled(request)
        backend = self.plugins.image_for(base)
        shots = shots_of(filled)
        self._check(shots, base, backend)
        self.arbiter.check(backend.needs(filled, base))
        self.storage.require_space()
        return self.queue.submit(Job.of(filled, correlation_id(), _title(filled, len(shots))), idempotency_key)

    def filled(self, request: GenerationRequest) -> tuple[GenerationRequest, BaseModelRow]:
        """Return the request with every field filled, and its base model."""
        uses = request.loras or self._of_character(request)
        loras = [self.loras.get(use.id) for use in uses]
        compared = [self.loras.get(lora_id) for lora_id in _compared(request)]
        base = self.choice.for_images(request.base_model or _base_of(compared or loras))
        seed = request.seed if request.seed is not None else random.randrange(2**32)
        named = request.model_copy(update={"loras": uses, "seed": seed, "base_model": base.id})
        named = self.wildcards.chosen(named.model_copy(update=self._size(named, base)))
        return self.plugins.image_for(base).defaults(named, base), base

    def _check(self, shots: Sequence[Shot], base: BaseModelRow, backend: ImageBackend) -> None:
        able = backend.abilities(base, shots[0].request.workflow)
        used = {use.id: self.loras.get(use.id) for shot in shots for use in shot.request.loras}
        _check_fit(list(used.values()), base, self.choice)
        for shot in shots:
            _check_able(shot.request, able, base)
        for lora in used.values():
            backend.check_lora(self.loras.path(lora), base)

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

    def _size(self, request: GenerationRequest, base: BaseModelRow) -> dict[str, int]:
        """Return the size that follows from the picture to start from, where none was asked for."""
        if request.init_image is None:
            return {}
        with Image.open(self.inputs.path(request.init_image)) as picture:
            width, height = picture.size
        native = base.resolution / math.sqrt(width * height)
        scale = request.upscale_by or min(1.0, native)
        size = {"width": request.width or _edge(width * scale), "height": request.height or _edge(height * scale)}
        if max(size.values()) > MAX_EDGE:
            raise InvalidInput(
                f"The picture would have {size['width']} x {size['height']} pixels.",
                f"Choose a smaller factor: {MAX_EDGE} pixels a side are the most.",
            )
        return size

    def abilities(self, base_model: str = "", workflow: str = "") -> Abilities:
        """Return what the base model's backend can do with it."""
        base = self.choice.for_images(base_model)
        return self.plugins.image_for(base).abilities(base, workflow)

    def defaults(self, base_model: str = "", *, with_lora: bool = False, workflow: str = "") -> GenerationRequest:
        """Return what empty fields become."""
        base = self.choice.for_images(base_model)
        uses = (LoraUse(id="any"),) if with_lora else ()
        request = GenerationRequest(prompt="any", loras=uses, workflow=workflow)
        return self.plugins.image_for(base).defaults(request, base)


def _title(request: GenerationRequest, count: int) -> str:
    words = request.prompt if len(request.prompt) <= TITLE_CHARS else request.prompt[: TITLE_CHARS - 1] + "…"
    number = f"{count} picture{'s'[: count > 1]}"
    return f"Grid of {number}: {words}" if request.grid else f"{number}: {words}"


def _edge(pixels: float) -> int:
    return max(64, round(pixels / EDGE_STEP) * EDGE_STEP)


def _compared(request: GenerationRequest) -> list[str]:
    """Return the versions of a grid that compares some: they take the place of the first LoRA."""
    axes = [request.grid.x, request.grid.y] if request.grid else []
    return [str(value) for axis in axes if axis and axis.field == "lora" for value in axis.values]


def _base_of(loras: Sequence[Lora]) -> str:
    return loras[0].base_model if loras else ""


def _check_able(request: GenerationRequest, able: Abilities, base: BaseModelRow) -> None:
    for what, wanted, known in (
        ("sampler", request.sampler, able.samplers),
        ("scheduler", request.scheduler, able.schedulers),
    ):
        if wanted and wanted not in known:
            offered = f"Choose one of: {', '.join(known)}." if known else "Leave it out."
            raise InvalidInput(f"There is no {what} '{wanted}' here.", offered)
    if request.task not in able.tasks:
        raise InvalidInput(
            f"{base.name} cannot start from a picture here.", "Leave the picture out, or choose another base model."
        )


def _check_fit(loras: Sequence[Lora], base: BaseModelRow, choice: BaseModelChoice) -> None:
    for lora in loras:
        family = choice.registry.get(lora.base_model).family
        if family != base.family:
            raise InvalidInput(
                f"{lora.label} was trained on {lora.base_model}; it does not fit {base.name}.",
                f"Choose {lora.base_model} as the base model, or a LoRA that was trained on {base.id}.",
            )
