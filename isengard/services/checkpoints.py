"""Checkpoints of trainings: look at them, draw with them, make one a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isengard.domain.base import utc_now
from isengard.domain.lora import Lora
from isengard.domain.lora_metadata import metadata_of
from isengard.errors import NotFound
from isengard.services.loras import Loras
from isengard.services.once import once


@dataclass(frozen=True)
class Checkpoints:
    """What trainings had learnt on the way. Each can be used in a generation like a version, by its id."""

    loras: Loras

    def of_job(self, job_id: str) -> Sequence[Lora]:
        """Return a training's checkpoints that are kept, oldest first; from now on they count as looked at."""
        found = self.loras.shelf.checkpoints(job_id)
        if found:
            self.loras.shelf.mark_looked_at(found[0])
        return self.loras.measured(found)

    def make_version(self, checkpoint_id: str, key: str | None = None) -> Lora:
        """Make a checkpoint the character's next version; raise NotFound."""
        checkpoint = self._get(checkpoint_id)

        def make(identifier: str) -> Lora:
            changes = {"id": identifier, "checkpoint": None, "from_checkpoint": checkpoint.checkpoint, "version": ""}
            lora = checkpoint.model_copy(update={**changes, "created_at": utc_now()})
            metadata = metadata_of(lora, self.loras.choice.registry.get(lora.base_model))
            return self.loras.shelf.add(self.loras.shelf.path(checkpoint), lora, metadata)

        return once(self.loras.queue, "lora", key, make, self.loras.shelf.get)

    def delete(self, checkpoint_id: str) -> None:
        """Delete a checkpoint for good; versions made of it stay."""
        self.loras.shelf.delete_checkpoint(self._get(checkpoint_id))

    def _get(self, checkpoint_id: str) -> Lora:
        lora = self.loras.shelf.get(checkpoint_id)
        if lora.checkpoint is None:
            raise NotFound(f"{lora.label} is a version, not a checkpoint.", "Ask for it under /api/loras.")
        return lora
