"""A character's pictures on disk, and every edit of them as a step that can be undone.

``uploads/{id}/`` has the originals, ``datasets/{id}/metadata.json`` says what the set is, ``images/`` has what
training sees with a ``.txt`` caption beside each, ``held_out/`` what it must never see, ``removed/`` what an undo may
bring back. Files are named by their content and never change.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from isengard.domain.dataset import Change, Edit, History, TrainingImage
from isengard.errors import Conflict, NotFound
from isengard.infra.library.steps import Steps
from isengard.infra.pictures import thumbnail
from isengard.infra.storage import Storage

Rows = list[TrainingImage]


class DatasetShelf:
    """The only reader and writer of a dataset. Safe between threads, and between processes on one volume."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    # --- what is there ----------------------------------------------------------------------

    def images(self, character_id: str) -> Rows:
        """Return all pictures, oldest first."""
        return self._read(character_id)[0]

    def image(self, character_id: str, image_id: str) -> TrainingImage:
        """Return the record of a picture; raise NotFound."""
        for image in self.images(character_id):
            if image.id == image_id:
                return image
        raise NotFound("There is no such picture.", "It may have been deleted; reload the page.")

    def history(self, character_id: str) -> History:
        """Return the edits, newest first."""
        return self._steps(character_id).lines()

    def original(self, character_id: str, image: TrainingImage) -> Path:
        """Return where the file lies as it was uploaded, less its metadata."""
        return self._storage.uploads(character_id) / image.original

    def curated(self, character_id: str, image: TrainingImage) -> Path:
        """Return where the upright, cropped copy lies."""
        return self._folder(character_id, image) / image.curated

    def thumb(self, character_id: str, image: TrainingImage) -> Path:
        """Return the thumbnail, made on first need."""
        return thumb_of(self._storage, self.curated(character_id, image), Path(image.curated).stem)

    # --- changes ----------------------------------------------------------------------------

    def keep_original(self, character_id: str, name: str, content: bytes) -> None:
        """Keep an original. To be called inside ``edit``: what no record names is swept away after it."""
        self._storage.write_bytes(self._storage.uploads(character_id) / name, content)

    def keep_curated(self, character_id: str, name: str, content: bytes) -> None:
        """Keep a curated copy, to be called inside ``edit`` like keep_original."""
        self._storage.write_bytes(self._storage.dataset_removed(character_id) / name, content)

    def edit(self, character_id: str, label: str, change: Callable[[Rows], Rows], batch: str = "") -> Rows:
        """Replace the set by what ``change`` makes of it, as one step that can be undone; return the new set.

        ``change`` runs while nobody else can edit; what it raises leaves everything as it was. Steps of one batch that
        follow each other become one. Raises NotFound when the character is gone.
        """
        with self._storage.locked(character_id):
            before = self._present(character_id)
            after = sorted(change(list(before)), key=lambda image: image.id)  # ids sort by time
            changes = _changes(before, after)
            if changes:
                self._commit(character_id, self._steps(character_id).with_edit(label, changes, batch), after)
            return after

    def undo(self, character_id: str) -> Edit:
        """Take the last edit back and return it; raise Conflict when there is none."""
        return self._step(character_id, back=True)

    def redo(self, character_id: str) -> Edit:
        """Do the edit again that was undone last and return it; raise Conflict when there is none."""
        return self._step(character_id, back=False)

    def forget(self, character_id: str) -> None:
        """Delete the history and every file that only it needs."""
        with self._storage.locked(character_id):
            self._commit(character_id, Steps((), 0), self._present(character_id))

    def copy_for_training(self, character_id: str, folder: Path) -> list[tuple[TrainingImage, Path]]:
        """Copy pictures and captions as they are now; the one way from a dataset into a training.

        What is held out stays away, and so does whatever has the same pixels as something that is held out.
        """
        with self._storage.locked(character_id):
            rows = self._present(character_id)
            self._settle(character_id, rows)
            away = {image.curated for image in rows if image.held_out}
            copies = []
            for image in (row for row in rows if row.curated not in away):
                target = folder / f"{image.id}.png"
                shutil.copyfile(self.curated(character_id, image), target)
                target.with_suffix(".txt").write_text(image.caption, encoding="utf-8")
                copies.append((image, target))
            return copies

    def delete(self, character_id: str) -> None:
        """Delete everything; the caller holds the character's lock."""
        for path in self._storage.dataset(character_id).rglob("*.png"):
            self._storage.thumb(path.stem).unlink(missing_ok=True)
        self._storage.remove(self._storage.uploads(character_id))
        self._storage.remove(self._storage.dataset(character_id))

    # --- how --------------------------------------------------------------------------------

    def _step(self, character_id: str, *, back: bool) -> Edit:
        with self._storage.locked(character_id):
            rows = {image.id: image for image in self._present(character_id)}
            steps = self._steps(character_id)
            edit, moved = steps.back() if back else steps.forth()
            if edit is None:
                raise Conflict(
                    f"There is nothing to {'undo' if back else 'do again'}.", "The pictures are as they were."
                )
            for change in edit.changes:
                old, new = (change.after, change.before) if back else (change.before, change.after)
                if old is not None:
                    rows.pop(old.id, None)
                if new is not None:
                    rows[new.id] = new
            self._commit(character_id, moved, sorted(rows.values(), key=lambda image: image.id))
            return edit

    def _commit(self, character_id: str, steps: Steps, rows: Rows) -> None:
        """Write history, then the record that makes it so, then move the files; each step can be repeated."""
        self._storage.write_json(self._storage.dataset_history(character_id), steps.as_json())
        record = {
            "version": 2,
            "character_id": character_id,
            "revision": steps.revision,
            "images": [image.model_dump(mode="json") for image in rows],
        }
        self._storage.write_json(self._storage.dataset_metadata(character_id), record)
        self._settle(character_id, rows)
        self._sweep(character_id, steps, rows)

    def _read(self, character_id: str) -> tuple[Rows, str | None]:
        path = self._storage.dataset_metadata(character_id)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return [], None
        return [TrainingImage.model_validate(row) for row in record["images"]], record.get("revision")

    def _steps(self, character_id: str) -> Steps:
        path = self._storage.dataset_history(character_id)
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"edits": []}
        return Steps.of(record, self._read(character_id)[1])

    def _present(self, character_id: str) -> Rows:
        if not self._storage.character(character_id).exists():  # deleted while this edit was prepared
            raise NotFound("There is no such character.", "It may have been deleted; reload the page.")
        return self.images(character_id)

    def _folder(self, character_id: str, image: TrainingImage) -> Path:
        storage = self._storage
        return storage.dataset_held_out(character_id) if image.held_out else storage.dataset_images(character_id)

    def _settle(self, character_id: str, rows: Sequence[TrainingImage]) -> None:
        """Bring every file to the folder that its record names, and captions beside them."""
        storage = self._storage
        removed = storage.dataset_removed(character_id)
        places = (storage.dataset_images(character_id), storage.dataset_held_out(character_id))
        wanted = {self.curated(character_id, image) for image in rows}
        for path in (path for folder in places for path in _pictures(folder) if path not in wanted):
            removed.mkdir(parents=True, exist_ok=True)
            path.replace(removed / path.name)
            path.with_suffix(".txt").unlink(missing_ok=True)
        for image in rows:
            path = self.curated(character_id, image)
            if not path.exists() and (removed / path.name).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                (removed / path.name).replace(path)
            text = path.with_suffix(".txt")
            if path.exists() and (not text.exists() or text.read_text(encoding="utf-8") != image.caption):
                storage.write_bytes(text, image.caption.encode())

    def _sweep(self, character_id: str, steps: Steps, rows: Rows) -> None:
        """Delete what neither the set nor its history names any more."""
        named = [*rows, *steps.images()]
        curated, originals = {image.curated for image in named}, {image.original for image in named}
        for path in _pictures(self._storage.dataset_removed(character_id)):
            if path.name not in curated:
                path.unlink(missing_ok=True)
                self._storage.thumb(path.stem).unlink(missing_ok=True)
        for path in _files(self._storage.uploads(character_id)):
            if path.name not in originals:
                path.unlink(missing_ok=True)


def thumb_of(storage: Storage, source: Path, key: str) -> Path:
    """Return the cached thumbnail of a picture, made on first need."""
    target = storage.thumb(key)
    if not target.exists():
        with storage.writing(target) as partial:
            thumbnail(source, partial)
    return target


def _changes(before: Rows, after: Rows) -> tuple[Change, ...]:
    old, new = {image.id: image for image in before}, {image.id: image for image in after}
    touched = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    return tuple(Change(before=old.get(key), after=new.get(key)) for key in touched)


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _files(folder) if path.suffix == ".png"]


def _files(folder: Path) -> list[Path]:
    """Files of a folder that are whole: half-written ones are hidden."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []
