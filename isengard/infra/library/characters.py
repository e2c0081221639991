"""Characters and their pictures on disk."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from isengard.domain.character import Character, TrainingImage
from isengard.domain.page import Page
from isengard.errors import NotFound
from isengard.infra.library.paging import page
from isengard.infra.pictures import Checked, thumbnail
from isengard.infra.storage import Storage


class CharacterShelf:
    """``characters/{id}.json``, ``uploads/{id}/``, ``datasets/{id}/``.

    Safe between threads, and between processes on one volume.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

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
        return Character.model_validate(record | {"image_count": len(self.images(character_id))})

    def get(self, character_id: str) -> Character:
        """Return a character; raise NotFound."""
        character = self.find(character_id)
        if character is None:
            raise NotFound("There is no such character.", "It may have been deleted; reload the page.")
        return character

    def save(self, character: Character) -> None:
        """Write the record, whole or not at all."""
        self._storage.write_json(
            self._storage.character(character.id), character.model_dump(mode="json", exclude={"image_count"})
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
            for image in self.images(character_id):
                self._storage.thumb(image.id).unlink(missing_ok=True)
            self._storage.character(character_id).unlink(missing_ok=True)
            self._storage.remove(self._storage.uploads(character_id))
            self._storage.remove(self._storage.dataset(character_id))

    # --- pictures ---------------------------------------------------------------------------

    def images(self, character_id: str) -> builtins.list[TrainingImage]:
        """Return all pictures, oldest first."""
        path = self._storage.dataset_metadata(character_id)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [TrainingImage.model_validate(row) for row in record["images"]]

    def image(self, character_id: str, image_id: str) -> TrainingImage:
        """Return the record of a picture; raise NotFound."""
        for image in self.images(character_id):
            if image.id == image_id:
                return image
        raise NotFound("There is no such picture.", "It may have been deleted; reload the page.")

    def add_image(self, character_id: str, image: TrainingImage, data: bytes, checked: Checked) -> bool:
        """Store original, curated copy and record; return False when the same file is there already."""
        with self._storage.locked(character_id):
            self.get(character_id)  # it may have been deleted while the picture was checked
            images = self.images(character_id)
            if any(known.sha256 == image.sha256 for known in images):
                return False
            self._storage.write_bytes(self._storage.uploads(character_id) / image.original, data)
            with self._storage.writing(self.curated(character_id, image)) as partial:
                checked.image.save(partial, "PNG", compress_level=4)
            self._save_images(character_id, [*images, image])
        return True

    def change_images(self, character_id: str, change: Callable[[TrainingImage], TrainingImage | None]) -> None:
        """Replace every record by what ``change`` returns; None drops the picture and its files."""
        with self._storage.locked(character_id):
            before = self.images(character_id)
            after = [(image, change(image)) for image in before]
            self._save_images(character_id, [new for _, new in after if new is not None])
            for image, new in after:
                if new is None:
                    self.original(character_id, image).unlink(missing_ok=True)
                    self.curated(character_id, image).unlink(missing_ok=True)
                    self._storage.thumb(image.id).unlink(missing_ok=True)

    def _save_images(self, character_id: str, images: Sequence[TrainingImage]) -> None:
        record = {"version": 1, "images": [image.model_dump(mode="json") for image in images]}
        self._storage.write_json(self._storage.dataset_metadata(character_id), record)

    def original(self, character_id: str, image: TrainingImage) -> Path:
        """Return where the file lies as it was uploaded."""
        return self._storage.uploads(character_id) / image.original

    def curated(self, character_id: str, image: TrainingImage) -> Path:
        """Return where the upright copy without metadata lies."""
        return self._storage.dataset_images(character_id) / image.curated

    def thumb(self, character_id: str, image: TrainingImage) -> Path:
        """Return the thumbnail, made on first need."""
        return thumb_of(self._storage, self.curated(character_id, image), f"{image.id}")


def thumb_of(storage: Storage, source: Path, key: str) -> Path:
    """Return the cached thumbnail of a picture, made on first need."""
    target = storage.thumb(key)
    if not target.exists():
        with storage.writing(target) as partial:
            thumbnail(source, partial)
    return target
