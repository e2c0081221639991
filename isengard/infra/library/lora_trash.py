"""Deleted LoRA versions: ``trash/loras/{lora_id}/``, kept for a week."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from isengard.domain.base import utc_now
from isengard.domain.lora import Lora
from isengard.errors import Conflict, NotFound
from isengard.infra.library.loras import LoraShelf, read_lora
from isengard.infra.storage import Storage

KEPT = timedelta(days=7)
RECORD, WEIGHTS, SAMPLES = "lora.json", "weights.safetensors", "samples"


class LoraTrash:
    """Of a version and its copy in the trash, the one that has its weights counts.

    Each move writes the record where the weights will be, then moves the weights, then removes the old record:
    whenever it is broken off, nothing is lost, and nothing is there twice.
    """

    def __init__(self, storage: Storage, shelf: LoraShelf) -> None:
        self._storage = storage
        self._shelf = shelf

    def put(self, lora: Lora) -> Lora:
        """Move a version here; its number stays taken, so that it can come back."""
        with self._storage.locked(lora.id):
            folder = self._storage.trashed_lora(lora.id)
            path = self._shelf.path(lora)
            deleted = lora.model_copy(update={"deleted_at": utc_now()})
            self._storage.write_json(folder / RECORD, deleted.record())
            self._storage.write_bytes(path.with_suffix(".deleted"), b"")
            self._move(self._shelf.samples_folder(lora), folder / SAMPLES)
            self._storage.publish(path, folder / WEIGHTS)
            path.with_suffix(".json").unlink(missing_ok=True)
        return deleted

    def restore(self, lora_id: str) -> Lora:
        """Put a version back where it was; raise NotFound when it is not here, Conflict when its place is taken."""
        with self._storage.locked(self.get(lora_id).id):
            lora = self.get(lora_id).model_copy(update={"deleted_at": None})
            folder, path = self._storage.trashed_lora(lora_id), self._shelf.path(lora)
            if path.exists():
                raise Conflict(f"There is another {lora.label} by now.", "Export that one and delete it first.")
            self._move(folder / SAMPLES, self._shelf.samples_folder(lora))
            self._shelf.save(lora)
            self._storage.publish(folder / WEIGHTS, path)
            path.with_suffix(".deleted").unlink(missing_ok=True)
            self._storage.remove(folder)
        return lora

    def list(self) -> Sequence[Lora]:
        """Return what is here, what was deleted last first; what is here for too long goes now."""
        found = self._all()
        for lora in found:
            if _due(lora) <= utc_now():
                self.remove(lora.id)
        return sorted((lora for lora in found if _due(lora) > utc_now()), key=_due, reverse=True)

    def get(self, lora_id: str) -> Lora:
        """Return one; raise NotFound."""
        for lora in self._all():
            if lora.id == lora_id:
                return lora
        raise NotFound("That LoRA is not in the trash.", "It may have been restored, or deleted for good.")

    def remove(self, lora_id: str) -> None:
        """Delete one for good; raise NotFound."""
        self._storage.remove(self._storage.trashed_lora(self.get(lora_id).id))

    def _all(self) -> Sequence[Lora]:
        folders = [path.parent for path in self._storage.trash.glob(f"loras/*/{RECORD}")]
        found = [read_lora(folder / RECORD) for folder in folders if (folder / WEIGHTS).exists()]
        return [lora for lora in found if lora]

    def _move(self, source: Path, target: Path) -> None:
        if source.is_dir():
            self._storage.remove(target)  # of a move that was broken off
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)


def _due(lora: Lora) -> datetime:
    return (lora.deleted_at or utc_now()) + KEPT
