"""Trainings: fill what was left out, refuse what cannot work, make the job."""

from __future__ import annotations

from dataclasses import dataclass

from isengard.domain.base_model import BaseModelRow
from isengard.domain.character import Character
from isengard.domain.job import Job
from isengard.domain.lease import Needs
from isengard.domain.request import TrainingConfig, TrainingRequest
from isengard.errors import Conflict
from isengard.infra.gpu import Arbiter
from isengard.infra.library import CharacterShelf, LoraShelf
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.observability import correlation_id
from isengard.plugins.presets import PRESETS
from isengard.plugins.protocols import TrainingAbilities, TrainingBackend
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice
from isengard.services.consent import require_consent
from isengard.services.going_on import going_on

FEW_IMAGES = 8  # identity LoRAs are commonly made from 10 to 30 pictures


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would do, before the click."""

    request: TrainingRequest
    character: Character
    base_model: BaseModelRow
    backend: TrainingBackend
    needs: Needs
    advice: tuple[str, ...]

    @property
    def title(self) -> str:
        """For lists and the wait line."""
        return f"{self.character.name}: training, {self.request.config.steps} steps"


@dataclass(frozen=True)
class Training:
    """The request that is stored has every field filled, so that a retry trains the same thing."""

    characters: CharacterShelf
    storage: Storage
    queue: Queue
    plugins: Plugins
    arbiter: Arbiter
    choice: BaseModelChoice
    loras: LoraShelf

    def plan(self, request: TrainingRequest) -> TrainingPlan:
        """Fill the request from the preset and estimate; raise what would make it fail at once."""
        character = self.characters.get(request.character_id)
        if not character.training_count:
            raise Conflict(f"{character.name} has no pictures yet.", "Add 10 to 30 pictures in the Characters tab.")
        request = going_on(request, self.loras, self.choice)
        base = self.choice.for_training(request.config.base_model)
        named = request.config.model_copy(update={"base_model": base.id, "image_count": character.training_count})
        backend = self.plugins.training_for(base)
        filled = backend.defaults(request.model_copy(update={"config": named}), base)
        if filled.start_from:
            backend.check_start(self.loras.path(self.loras.get(filled.start_from)), filled, base)
        needs = backend.needs(filled, base)
        return TrainingPlan(filled, character, base, backend, needs, tuple(self._advice(character, base)))

    def _advice(self, character: Character, base: BaseModelRow) -> list[str]:
        said = []
        if character.consent is None:
            said.append(f"Nobody has said yet whose face {character.name} has: say it in the Characters tab.")
        if character.training_count < FEW_IMAGES:
            said.append(f"{character.training_count} pictures are few: 10 to 30, from different sides, work better.")
        if not base.commercial_use:
            said.append(f"{base.name} may not be used commercially ({base.license}).")
        usual = base.needs.get("training")
        if usual and usual.vram_gb and not self.arbiter.gpu:
            said.append(f"{base.name} is made for a GPU, and there is none here: this takes very long.")
        return said

    def submit(self, request: TrainingRequest, idempotency_key: str | None = None) -> Job:
        """Queue a training; raise Conflict without pictures, and what says that it can never fit."""
        plan = self.plan(request)
        require_consent(plan.character, plan.base_model)
        self.arbiter.check(plan.needs)
        self.storage.require_space(plan.needs.disk_gb)
        return self.queue.submit(Job.of(plan.request, correlation_id(), plan.title), idempotency_key)

    def presets(self, base_model: str = "", character_id: str = "") -> dict[str, TrainingConfig]:
        """Return the filled config of each preset, its steps for the character's pictures when one is named."""
        base = self.choice.for_training(base_model)
        backend = self.plugins.training_for(base)
        count = self.characters.get(character_id).training_count if character_id else 0
        empty = [TrainingConfig(base_model=base.id, preset=name, image_count=count or None) for name in PRESETS]
        filled = [backend.defaults(TrainingRequest(character_id="any", config=config), base) for config in empty]
        return {request.config.preset: request.config for request in filled}

    def abilities(self, base_model: str = "") -> TrainingAbilities:
        """Return which settings have an effect for a base model on this machine, and where its presets come from."""
        base = self.choice.for_training(base_model)
        return self.plugins.training_for(base).abilities(base, self.arbiter.device)
