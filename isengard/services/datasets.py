"""A character's pictures: look at them, crop, hold out, remove; every edit can be undone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from isengard.domain.dataset import Crop, Edit, History, TrainingImage
from isengard.domain.page import Page
from isengard.errors import Conflict, NotFound
from isengard.infra.fingerprint import near
from isengard.infra.library import CharacterShelf
from isengard.infra.library.paging import page
from isengard.infra.pictures import check_crop, pixels_sha256, png
from isengard.infra.storage import Storage
from isengard.services.captions import Captions
from isengard.services.intake import Intake
from isengard.services.uploads import Upload, UploadReport

FileSize = Literal["thumb", "full", "whole"]
log = structlog.get_logger("services.datasets")


@dataclass(frozen=True)
class Datasets:
    """Nothing that is done here loses a picture: ``undo`` brings it back until the history is forgotten."""

    shelf: CharacterShelf
    intake: Intake
    captions: Captions
    storage: Storage

    def add(self, character_id: str, files: Sequence[Upload], idempotency_key: str | None = None) -> UploadReport:
        """Take files in; see Intake."""
        return self.intake.add(character_id, files, idempotency_key)

    def images(self, character_id: str, cursor: str | None = None, limit: int = 200) -> Page[TrainingImage]:
        """Return a page of pictures, oldest first."""
        self.shelf.get(character_id)
        by_id = {image.id: image for image in self.shelf.datasets.images(character_id)}
        return page(list(by_id), cursor, limit, by_id.get)

    def image(self, character_id: str, image_id: str) -> TrainingImage:
        """Return one picture's record; raise NotFound."""
        self.shelf.get(character_id)
        return self.shelf.datasets.image(character_id, image_id)

    def file(self, character_id: str, image_id: str, size: FileSize) -> Path:
        """Return a picture's file: ``thumb``, ``full`` as training sees it, or ``whole``: upright but not cropped."""
        image = self.image(character_id, image_id)
        if size == "thumb":
            return self.shelf.datasets.thumb(character_id, image)
        if size == "full" or image.crop is None:
            return self.shelf.datasets.curated(character_id, image)
        target = self.storage.uncropped(Path(image.original).stem)
        if not target.exists():
            picture = self.intake.decoder.check(self.shelf.datasets.original(character_id, image).read_bytes()).image
            self.storage.write_bytes(target, png(picture))
        return target

    def caption(self, character_id: str, image_id: str, text: str) -> TrainingImage:
        """Change a caption."""
        self.captions.set(character_id, {image_id: text})
        return self.shelf.datasets.image(character_id, image_id)

    def crop(self, character_id: str, image_id: str, crop: Crop | None) -> TrainingImage:
        """Let training see only a part of a picture, or all of it again; the original stays as it is."""
        image = self.image(character_id, image_id)
        if crop is not None:
            check_crop(crop, image.width, image.height)
            crop = None if (crop.width, crop.height) == (image.width, image.height) else crop
        picture = self.intake.decoder.check(self.shelf.datasets.original(character_id, image).read_bytes(), crop).image
        pixels = pixels_sha256(picture)
        content = png(picture)
        name = f"{pixels[:32]}.png"

        def change(rows: list[TrainingImage]) -> list[TrainingImage]:
            _require(rows, [image_id])
            twin = next((row for row in rows if row.curated == name and row.id != image_id), None)
            if twin:
                raise Conflict(f"Cropped like this it is the same picture as {twin.filename}.", "Remove one of them.")
            self.shelf.datasets.keep_curated(character_id, name, content)
            update = {"crop": crop, "curated": name}
            return [row.model_copy(update=update) if row.id == image_id else row for row in rows]

        verb = "Cropped" if crop else "Uncropped"
        self.shelf.datasets.edit(character_id, f"{verb} {image.filename}", change)
        return self.shelf.datasets.image(character_id, image_id)

    def hold_out(self, character_id: str, image_ids: Collection[str], *, held_out: bool) -> list[TrainingImage]:
        """Keep pictures for evaluation only, or let them be trained on again; return what changed.

        What looks almost like a held-out picture is held out with it: training on it would give the other away.
        """
        self.shelf.get(character_id)
        changed: set[str] = set()

        def change(rows: list[TrainingImage]) -> list[TrainingImage]:
            _require(rows, image_ids)
            meant = _with_look_alikes(rows, image_ids)
            changed.update(row.id for row in rows if row.id in meant and row.held_out != held_out)
            return [row.model_copy(update={"held_out": held_out}) if row.id in meant else row for row in rows]

        label = f"{'Held out' if held_out else 'Released'} {self._name(character_id, image_ids)}"
        rows = self.shelf.datasets.edit(character_id, label, change)
        return [row for row in rows if row.id in changed]

    def remove(self, character_id: str, image_ids: Collection[str]) -> None:
        """Remove pictures from the set; ``undo`` brings them back."""
        self.shelf.get(character_id)

        def change(rows: list[TrainingImage]) -> list[TrainingImage]:
            _require(rows, image_ids)
            return [row for row in rows if row.id not in image_ids]

        self.shelf.datasets.edit(character_id, f"Removed {self._name(character_id, image_ids)}", change)
        log.info("images.removed", character_id=character_id, images=len(image_ids))

    def history(self, character_id: str) -> History:
        """Return the edits, newest first."""
        self.shelf.get(character_id)
        return self.shelf.datasets.history(character_id)

    def undo(self, character_id: str) -> Edit:
        """Take the last edit back; raise Conflict when there is none."""
        return self.shelf.datasets.undo(character_id)

    def redo(self, character_id: str) -> Edit:
        """Do again what was undone last; raise Conflict when there is nothing."""
        return self.shelf.datasets.redo(character_id)

    def forget(self, character_id: str) -> None:
        """Delete the history, and removed pictures for good."""
        self.shelf.datasets.forget(character_id)
        log.info("history.forgotten", character_id=character_id)

    def _name(self, character_id: str, image_ids: Collection[str]) -> str:
        if len(image_ids) != 1:
            return f"{len(image_ids)} pictures"
        return self.shelf.datasets.image(character_id, next(iter(image_ids))).filename


def _require(rows: Sequence[TrainingImage], image_ids: Collection[str]) -> None:
    if set(image_ids) - {row.id for row in rows}:
        raise NotFound("There is no such picture.", "It may have been deleted; reload the page.")


def _with_look_alikes(rows: Sequence[TrainingImage], image_ids: Collection[str]) -> set[str]:
    """Return the ids and those of every picture that looks almost like one of them, also by way of a third."""
    meant, waiting = set(image_ids), [row for row in rows if row.id in image_ids]
    while waiting:
        one = waiting.pop()
        found = [row for row in rows if row.id not in meant and near(row.fingerprint, one.fingerprint)]
        meant.update(row.id for row in found)
        waiting += found
    return meant
