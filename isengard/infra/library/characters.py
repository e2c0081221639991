"""Characters on disk; their pictures are in ``datasets``."""

from __future__ import annotations

import json
from collections.abc import Callable

from isengard.domain.character import Character
from isengard.domain.page import Page
from isengard.errors import NotFound
from isengard.infra.library.datasets import DatasetShelf
from isengard.infra.library.paging import page
from isengard.infra.storage import Storage


class CharacterShelf:
    """``characters/{id}.json``. Safe between threads, and between processes on one volume."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.datasets = DatasetShelf(storage)

    def ids(self) -> list[str]:
        """Return all ids, newest first."""
        return sorted((p.stem for p in self._storage.characters().glob("char-*.json")), reverse=True)

    def list(self, cursor: str | None, limit: int) -> Page[Character]:
        """Return a page, newest first."""
        return page(self.ids(), cursor, limit, self.find)

    def find(self, character_id: str) -> Character | None:
        """Return a character with its number of pictures, or None."""
        path = self._storage.character(character_id)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        images = self.datasets.images(character_id)
        counts = {"image_count": len(images), "held_out_count": sum(image.held_out for image in images)}
        return Character.model_validate(record | counts)

    def get(self, character_id: str) -> Character:
        """Return a character; raise NotFound."""
        character = self.find(character_id)
        if character is None:
            raise NotFound("There is no such character.", "It may have been deleted; reload the page.")
        return character

    def save(self, character: Character) -> None:
        """Write the record, whole or not at all."""
        self._storage.write_json(
            self._storage.character(character.id),
            character.model_dump(mode="json", exclude={"image_count", "held_out_count"}),
        )

    def change(self, character_id: str, change: Callable[[Character], Character]) -> Character:
        """Replace the record by what ``change`` makes of it; raise NotFound."""
        with self._storage.locked(character_id):
            changed = change(self.get(character_id))
            self.save(changed)
        return changed

    def delete(self, character_id: str) -> None:
        """Delete the character and its pictures; LoRAs and outputs stay."""
        with self._storage.locked(character_id):
            self._storage.character(character_id).unlink(missing_ok=True)
            self.datasets.delete(character_id)
            self._storage.remove(self._storage.synthetic(character_id))
