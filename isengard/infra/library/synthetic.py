"""Synthetic pictures on disk: ``synthetic/{character_id}/images``, ``rejected`` and ``manifest.json``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from isengard.domain.sorting import sorted_out
from isengard.domain.synthetic import Manifest, SyntheticPicture
from isengard.errors import NotFound
from isengard.infra.library.datasets import thumb_of
from isengard.infra.storage import Storage


class SyntheticShelf:
    """The manifest says where each picture belongs; the files follow it at every change, and after a crash."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def record(self, character_id: str) -> Path:
        """Return where the manifest lies: how each picture was made, and its scores."""
        return self._storage.synthetic(character_id) / "manifest.json"

    def manifest(self, character_id: str) -> Manifest:
        """Return the record; an empty one when nothing was made yet.

        A picture that was cleaned away counts as never made; only a person's word against it is remembered.
        """
        try:
            text = self.record(character_id).read_text(encoding="utf-8")
        except FileNotFoundError:
            return Manifest(character_id=character_id)
        record = json.loads(text)
        found = Manifest.model_validate({name: record[name] for name in Manifest.model_fields if name in record})
        here = tuple(one for one in found.pictures if one.decision == "reject" or self.find(character_id, one))
        return found.model_copy(update={"pictures": here})

    def change(self, character_id: str, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Replace the record by what ``change`` returns, sorted anew, and move the files to where they belong.

        Raise NotFound when the character is gone.
        """
        with self._storage.locked(f"synthetic-{character_id}"):
            if not self._storage.character(character_id).exists():  # deleted while the pictures were made
                raise NotFound("There is no such character.", "It may have been deleted; reload the page.")
            changed = change(self.manifest(character_id))
            after = changed.model_copy(update={"pictures": sorted_out(changed.pictures, changed.thresholds)})
            self._storage.write_json(self.record(character_id), after.record())
            self._settle(after)
        return after

    def add(self, character_id: str, picture: SyntheticPicture, made: Path) -> Manifest:
        """Take a measured picture in; one of the same id is there already and stays."""

        def taken(manifest: Manifest) -> Manifest:
            if any(known.id == picture.id for known in manifest.pictures):
                return manifest
            target = self._place(character_id, picture, passed=False)
            with self._storage.writing(target) as partial:
                shutil.copyfile(made, partial)
            return manifest.model_copy(update={"pictures": (*manifest.pictures, picture)})

        return self.change(character_id, taken)

    def picture(self, character_id: str, picture_id: str) -> SyntheticPicture:
        """Return one picture's record; raise NotFound."""
        for picture in self.manifest(character_id).pictures:
            if picture.id == picture_id:
                return picture
        raise NotFound("There is no such synthetic picture.", "It may have been deleted; reload the page.")

    def find(self, character_id: str, picture: SyntheticPicture) -> Path | None:
        """Return where the picture lies, though it be moved at this moment; None when it is gone."""
        for passed in (picture.passed, not picture.passed, picture.passed):
            path = self._place(character_id, picture, passed=passed)
            if path.exists():
                return path
        return None

    def path(self, character_id: str, picture: SyntheticPicture) -> Path:
        """Return where the picture lies; raise NotFound when it is gone."""
        found = self.find(character_id, picture)
        if found is None:
            raise NotFound(
                "The picture's file is gone.", "Expand the character again with the same seed to make it anew."
            )
        return found

    def thumb(self, character_id: str, picture: SyntheticPicture) -> Path:
        """Return the thumbnail, made on first need."""
        return thumb_of(self._storage, self.path(character_id, picture), f"{picture.id}-{picture.sha256[:16]}")

    def clear(self, character_id: str) -> None:
        """Delete the pictures and their record; what is in the dataset already stays there."""
        with self._storage.locked(f"synthetic-{character_id}"):
            self._storage.remove(self._storage.synthetic(character_id))

    def _settle(self, manifest: Manifest) -> None:
        for picture in manifest.pictures:
            target = self._place(manifest.character_id, picture, passed=picture.passed)
            other = self._place(manifest.character_id, picture, passed=not picture.passed)
            if not target.exists() and other.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                other.replace(target)

    def _place(self, character_id: str, picture: SyntheticPicture, *, passed: bool) -> Path:
        return self._storage.synthetic(character_id) / ("images" if passed else "rejected") / picture.filename
