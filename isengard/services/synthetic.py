"""Synthetic pictures: start an expansion, look at what it made, move thresholds, decide, and take them for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import Field

from isengard.domain.base import Value, new_id
from isengard.domain.base_model import BaseModelRow
from isengard.domain.character import Character
from isengard.domain.job import Job
from isengard.domain.request import Task, TrainingConfig, TrainingRequest
from isengard.domain.synthetic import (
    Decision,
    Manifest,
    SyntheticConfig,
    SyntheticPicture,
    SyntheticRequest,
    Thresholds,
)
from isengard.errors import BackendUnavailable, Conflict, NotFound
from isengard.infra.library import CharacterShelf, LoraShelf, SyntheticShelf
from isengard.infra.queue import Queue
from isengard.observability import correlation_id
from isengard.plugins.protocols import BackendStatus
from isengard.plugins.registry import Plugins
from isengard.plugins.sources import SyntheticSource
from isengard.services.choice import BaseModelChoice
from isengard.services.datasets import Datasets

log = structlog.get_logger("services.synthetic")
BY_REFERENCE: Mapping[str, Task] = {"instruct_edit": "edit", "face_adapter": "face_adapter"}
BEST_FIRST = ("instruct_edit", "proto_lora", "augmentation")  # for "auto"; the face adapter copies, and is asked for


class ShownPicture(SyntheticPicture):
    """A picture as lists show it."""

    url: str
    in_dataset: bool = Field(description="Whether it was taken for training.")


class Expanded(Value):
    """All of a character's synthetic pictures, sorted, with what can make more."""

    character_id: str
    thresholds: Thresholds
    counts: dict[str, Any]
    coverage: dict[str, dict[str, int]]
    pictures: tuple[ShownPicture, ...]
    reference_score: float | None = Field(description="Median score of the references against each other, last time.")
    job: Job | None = Field(description="The expansion that is under way, or None.")


class Taken(Value):
    """What became of pictures that were to be used for training."""

    added: int
    already_there: int


@dataclass(frozen=True)
class Synthetic:
    """Sorting is fast and happens here at once; only drawing is a job."""

    characters: CharacterShelf
    shelf: SyntheticShelf
    loras: LoraShelf
    queue: Queue
    plugins: Plugins
    choice: BaseModelChoice
    sources: Mapping[str, SyntheticSource]
    datasets: Datasets

    # --- starting ---------------------------------------------------------------------------

    def submit(self, character_id: str, config: SyntheticConfig, idempotency_key: str | None = None) -> Job:
        """Queue an expansion; raise Conflict without pictures or while one runs, and what says that it cannot work."""
        character = self.characters.get(character_id)
        images = self.characters.datasets.images(character_id)
        if not any(image.source == "upload" and not image.held_out for image in images):
            raise Conflict(f"{character.name} has no photos to expand.", "Add 1 to 10; those held out are not used.")
        self.plugins.face_analyzer()
        filled = self.filled(config)
        request = SyntheticRequest(character_id=character_id, config=filled)
        live = self.live(character_id)
        if live and live.payload == request.model_dump(mode="json"):
            return live  # asked for twice
        if live:
            raise Conflict(
                f"Synthetic pictures of {character.name} are being made already.", "Wait for that job, or cancel it."
            )
        return self.queue.submit(Job.of(request, correlation_id(), _title(character, filled)), idempotency_key)

    def filled(self, config: SyntheticConfig) -> SyntheticConfig:
        """Return the config with source and base model chosen; raise BackendUnavailable when it cannot work here."""
        name = "augmentation" if config.dry_run else self._source(config)
        status = self.sources[name].status() if name in self.sources else None
        if status is None or not status.available:
            raise BackendUnavailable(
                status.reason if status else f"There is no source '{name}' here.",
                status.hint if status else f"Choose one of: {', '.join(self.sources)}.",
            )
        chosen = {"source": name, "base_model": self._base_model(name, config)}
        return config.model_copy(update=chosen)

    def _source(self, config: SyntheticConfig) -> str:
        if config.lora_id:
            return "proto_lora"
        if config.source != "auto":
            return config.source
        return next((name for name in BEST_FIRST if self._works(name)), "augmentation")

    def _works(self, name: str) -> bool:
        """Tell whether a source is here and, where it needs a model, whether one fits this machine."""
        source = self.sources.get(name)
        if source is None or not source.status().available:
            return False
        return name not in BY_REFERENCE or any(self._fits(row) for row in self._by_reference(name, ""))

    def _by_reference(self, name: str, base_model: str) -> list[BaseModelRow]:
        """Return the base models of a source that takes references, those that fit this machine first."""
        registry = self.choice.registry
        rows = [registry.get(base_model)] if base_model else registry.base_models()
        found = [row for _, row, _ in self.plugins.by_reference(rows, BY_REFERENCE[name])]
        return sorted(found, key=lambda row: not self._fits(row))

    def _fits(self, row: BaseModelRow) -> bool:
        return row.compatibility.min_vram_gb <= self.choice.arbiter.vram_gb

    def _base_model(self, source: str, config: SyntheticConfig) -> str:
        if source in BY_REFERENCE:
            rows = self._by_reference(source, config.base_model)
            if not rows:
                raise BackendUnavailable(f"{config.base_model} cannot do this here.", "Leave the base model out.")
            return rows[0].id
        if source != "proto_lora":
            return config.base_model
        if config.lora_id:
            return self.loras.get(config.lora_id).base_model
        base = self.choice.for_both(config.base_model)
        self.plugins.image_for(base)
        training = TrainingConfig(base_model=base.id, preset="quick")
        backend = self.plugins.training_for(base)
        request = backend.defaults(TrainingRequest(character_id="any", config=training), base)
        self.choice.arbiter.check(backend.needs(request, base))
        return base.id

    def live(self, character_id: str) -> Job | None:
        """Return the expansion of a character that waits or runs, or None."""
        page = self.queue.list("synthetic", None, character_id, None, 10)
        return next((job for job in page.items if not job.final), None)

    def ways(self) -> Sequence[BackendStatus]:
        """Return the sources with what each lacks."""
        return [source.status() for source in self.sources.values()]

    # --- looking and sorting ----------------------------------------------------------------

    def look(self, character_id: str) -> Expanded:
        """Return everything that was made for a character."""
        self.characters.get(character_id)
        return self._shown(self.shelf.manifest(character_id))

    def adjust(self, character_id: str, changes: Mapping[str, Any]) -> Expanded:
        """Change thresholds and sort anew; nothing is drawn."""
        self.characters.get(character_id)

        def sifted(manifest: Manifest) -> Manifest:
            limits = Thresholds.model_validate(manifest.thresholds.model_dump() | dict(changes))
            return manifest.model_copy(update={"thresholds": limits})

        return self._shown(self.shelf.change(character_id, sifted))

    def decide(self, character_id: str, picture_id: str, decision: Decision | None) -> Expanded:
        """Keep or reject a picture whatever its scores are; None leaves it to the filters again."""
        self.characters.get(character_id)
        self.shelf.picture(character_id, picture_id)

        def decided(manifest: Manifest) -> Manifest:
            pictures = tuple(
                one.model_copy(update={"decision": decision}) if one.id == picture_id else one
                for one in manifest.pictures
            )
            return manifest.model_copy(update={"pictures": pictures})

        return self._shown(self.shelf.change(character_id, decided))

    def use(self, character_id: str, picture_ids: Sequence[str] | None = None) -> Taken:
        """Take pictures into the dataset, with their captions and marked as synthetic; None: all that passed."""
        self.characters.get(character_id)
        made = {one.id: one for one in self.shelf.manifest(character_id).pictures}
        wanted = [one.id for one in made.values() if one.passed] if picture_ids is None else picture_ids
        unknown = [key for key in wanted if key not in made]
        if unknown:
            raise NotFound("There is no such synthetic picture.", "It may have been deleted; reload the page.")
        batch = new_id("use")
        added = sum(self._take(character_id, made[key], batch) for key in dict.fromkeys(wanted))
        log.info("synthetic.used", character_id=character_id, added=added)
        return Taken(added=added, already_there=len(set(wanted)) - added)

    def _take(self, character_id: str, picture: SyntheticPicture, batch: str) -> bool:
        known = {image.sha256 for image in self.characters.datasets.images(character_id)}
        if picture.sha256 in known:
            return False
        content = self.shelf.path(character_id, picture).read_bytes()
        self.datasets.intake.adopt(character_id, picture.filename, content, picture.caption, batch)
        return True

    def file(self, character_id: str, picture_id: str, size: str) -> Path:
        """Return a picture's file: ``thumb`` or ``full``."""
        picture = self.shelf.picture(character_id, picture_id)
        if size == "thumb":
            return self.shelf.thumb(character_id, picture)
        return self.shelf.path(character_id, picture)

    def clear(self, character_id: str) -> None:
        """Delete the synthetic pictures; those taken for training stay in the dataset."""
        character = self.characters.get(character_id)
        if self.live(character_id):
            raise Conflict(
                f"Synthetic pictures of {character.name} are being made.", "Cancel that job first, or wait for it."
            )
        self.shelf.clear(character_id)

    def _shown(self, manifest: Manifest) -> Expanded:
        taken = {image.sha256 for image in self.characters.datasets.images(manifest.character_id)}
        root = f"/api/characters/{manifest.character_id}/synthetic"
        pictures = tuple(
            ShownPicture(**one.model_dump(), url=f"{root}/{one.id}/file", in_dataset=one.sha256 in taken)
            for one in manifest.pictures
            if self.shelf.find(manifest.character_id, one)
        )
        return Expanded(
            character_id=manifest.character_id,
            thresholds=manifest.thresholds,
            counts=manifest.counts,
            coverage=manifest.coverage,
            pictures=pictures,
            reference_score=manifest.runs[-1].reference_score if manifest.runs else None,
            job=self.live(manifest.character_id),
        )


def _title(character: Character, config: SyntheticConfig) -> str:
    return f"{character.name}: {config.target_count} synthetic pictures{' (dry run)' if config.dry_run else ''}"
