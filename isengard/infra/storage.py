"""Every path under the volume, and the only ways to write there: whole files or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from isengard.errors import DiskFull, NotFound
from isengard.infra.disk import disk_errors
from isengard.infra.leftovers import is_abandoned, is_leftover, partial_name
from isengard.infra.locks import lock_held, sweep_locks
from isengard.infra.room import GB, Room

__all__ = ["GB", "SAFE_ID", "Storage", "safe"]

SAFE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}\Z")
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\Z")
WRITTEN = ("characters", "uploads", "datasets", "synthetic", "loras", "outputs", "cache", "wildcards", "work", "trash")
FOLDERS = (*WRITTEN, "comfyui", "redis")


def safe(identifier: str) -> str:
    """Return an id that may become part of a path; raise NotFound for anything else."""
    if not SAFE_ID.match(identifier) or ".." in identifier:
        raise NotFound("There is nothing under that id.", "Reload the page; it may have been deleted.")
    return identifier


class Storage(Room):
    """The storage contract: where everything lies."""

    LOOKED_AT = "looked-at"  # lies in a folder of checkpoints once a person has seen them

    def __init__(self, volume_root: Path, min_free_gb: float = 0.0) -> None:
        super().__init__(volume_root.resolve(), min_free_gb)

    def prepare(self) -> None:
        """Make the folders and sweep away what a crash left half-written."""
        with disk_errors(self.root):
            for name in FOLDERS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
            for path in (path for name in WRITTEN for path in (self.root / name).rglob(".*")):
                if is_leftover(path):
                    path.unlink(missing_ok=True)
            for path in (self.root / "loras").glob("*/v*.safetensors"):
                if is_abandoned(path):
                    path.unlink(missing_ok=True)

    # --- where things lie -------------------------------------------------------------------

    @property
    def cache(self) -> Path:
        """What can be made again; may be cleared while nothing runs."""
        return self.root / "cache"

    @property
    def owner(self) -> Path:
        """Hash of the owner's password, and the key that signs sessions."""
        return self.root / "owner.json"

    @property
    def redis_dir(self) -> Path:
        """The engine and its major version are in the name: their files are not interchangeable."""
        return self.root / "redis" / "valkey-9"

    @property
    def models(self) -> Path:
        """Base models in diffusers format, a folder each."""
        return self.root / "comfyui" / "models"

    def characters(self) -> Path:
        """Folder of the characters' records."""
        return self.root / "characters"

    def character(self, character_id: str) -> Path:
        """Record of a character."""
        return self.root / "characters" / f"{safe(character_id)}.json"

    def uploads(self, character_id: str) -> Path:
        """Originals, as they were uploaded."""
        return self.root / "uploads" / safe(character_id)

    def init_image(self, image_id: str) -> Path:
        """Return where a picture lies that was sent to start a generation from."""
        return self.root / "uploads" / "init-images" / f"{safe(image_id)}.png"

    @property
    def wildcards(self) -> Path:
        """Lists of words that prompts choose from, a text file each."""
        return self.root / "wildcards"

    def wildcard(self, name: str) -> Path:
        """Return where one list of words lies."""
        return self.wildcards / f"{safe(name)}.txt"

    def grid(self, job_id: str) -> Path:
        """Return where a comparison grid lies as one picture."""
        return self.outputs(job_id) / "grid.jpg"

    def dataset(self, character_id: str) -> Path:
        """Folder of what a character is trained on."""
        return self.root / "datasets" / safe(character_id)

    def dataset_images(self, character_id: str) -> Path:
        """Upright copies without metadata."""
        return self.dataset(character_id) / "images"

    def dataset_held_out(self, character_id: str) -> Path:
        """Pictures for evaluation: beside the folder that trainers are pointed at, never in it."""
        return self.dataset(character_id) / "held_out"

    def dataset_removed(self, character_id: str) -> Path:
        """Pictures that an undo may bring back."""
        return self.dataset(character_id) / "removed"

    def dataset_history(self, character_id: str) -> Path:
        """Record of the edits."""
        return self.dataset(character_id) / "history.json"

    def checkup(self, character_id: str) -> Path:
        """Record of the Doctor's findings that a person ignores."""
        return self.dataset(character_id) / "checkup.json"

    def dataset_metadata(self, character_id: str) -> Path:
        """Record of the pictures and their captions."""
        return self.dataset(character_id) / "metadata.json"

    def synthetic(self, character_id: str | None = None) -> Path:
        """Synthetic pictures of a character, or the folder of all characters' folders."""
        return self.root / "synthetic" / (safe(character_id) if character_id else "")

    def loras(self, character_id: str | None = None) -> Path:
        """LoRA versions of a character, or the folder of all characters' folders."""
        base = self.root / "loras"
        return base / safe(character_id) if character_id else base

    @property
    def trash(self) -> Path:
        """What was deleted and can still be taken back, a folder for each kind."""
        return self.root / "trash"

    def trashed_lora(self, lora_id: str) -> Path:
        """Folder of one deleted LoRA."""
        return self.trash / "loras" / safe(lora_id)

    def outputs(self, job_id: str | None = None) -> Path:
        """Pictures of a job, or the folder of all jobs' folders."""
        base = self.root / "outputs"
        return base / safe(job_id) if job_id else base

    def work(self, job_id: str) -> Path:
        """Private folder of a job: dataset copy, checkpoints, samples."""
        return self.root / "work" / safe(job_id)

    def work_file(self, job_id: str, name: str) -> Path:
        """Return a file by its bare name anywhere in a job's folder; raise NotFound."""
        if SAFE_NAME.match(name):
            for path in self.work(job_id).rglob(name):
                return self.resolve(self.relative(path))
        raise NotFound("The job has no such file.", "Files of a job go when it is tidied up; reload the page.")

    @property
    def last_backup(self) -> Path:
        """Word of scripts/backup.py on how the last backup went."""
        return self.cache / "last-backup.json"

    def thumb(self, key: str) -> Path:
        """Thumbnail of the picture with that id."""
        return self.cache / "thumbs" / key[:2] / f"{safe(key)}.webp"

    def faces(self, key: str) -> Path:
        """Return where the faces of a picture are kept, by a digest of the picture and of who looked at it."""
        return self.cache / "faces" / key[:2] / f"{safe(key)}.json"

    def uncropped(self, key: str) -> Path:
        """Upright copy of a whole original, where the set has only a part of it."""
        return self.cache / "uncropped" / f"{safe(key)}.png"

    def report(self, upload_id: str) -> Path:
        """Verdict on an upload, for a sender who asks again."""
        return self.cache / "reports" / f"{safe(upload_id)}.json"

    def relative(self, path: Path) -> str:
        """Return a path as stored in records: relative to the volume, with forward slashes."""
        resolved = path.resolve()
        if not resolved.is_relative_to(self.root):
            raise NotFound("That file is not on the volume.", "Reload the page; it may have been deleted.")
        return resolved.relative_to(self.root).as_posix()

    def resolve(self, relative: str) -> Path:
        """Return the file behind a stored path; raise NotFound when it, or a link in it, leaves the volume."""
        if "\0" in relative:
            raise NotFound("That file is not on the volume.", "Reload the page; it may have been deleted.")
        return self.root / self.relative(self.root / relative)

    # --- writing ----------------------------------------------------------------------------

    @contextmanager
    def writing(self, target: Path) -> Iterator[Path]:
        """Yield a temporary path that becomes ``target`` at the end, whole and synced, or vanishes on an error."""
        with disk_errors(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._partial(target.parent, target.name) as partial:
                yield partial
                self.publish(partial, target)

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """Yield a path for what comes in from outside; it is gone at the end unless it was published."""
        folder = self.cache / "incoming"
        with disk_errors(self.root):
            folder.mkdir(parents=True, exist_ok=True)
            with self._partial(folder, "upload") as partial:
                yield partial

    @contextmanager
    def _partial(self, folder: Path, name: str) -> Iterator[Path]:
        partial = folder / partial_name(name)
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    def publish(self, source: Path, target: Path) -> None:
        """Move a finished file of this volume to its place, synced, in one step."""
        with disk_errors(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync(source)
            source.replace(target)
            _sync(target.parent)

    def write_json(self, target: Path, value: Any) -> None:
        """Write JSON, whole or not at all."""
        self.write_bytes(target, json.dumps(value, ensure_ascii=False, indent=1, default=str).encode())

    def write_bytes(self, target: Path, content: bytes) -> None:
        """Write bytes, whole or not at all."""
        with self.writing(target) as partial:
            partial.write_bytes(content)

    def write_private(self, target: Path, content: bytes) -> None:
        """Write bytes that only this user may read, whole or not at all."""
        with self.writing(target) as partial:
            partial.touch(mode=0o600)
            partial.write_bytes(content)

    def remove(self, path: Path) -> None:
        """Delete a file or folder; nothing happens when it is not there."""
        with disk_errors(self.root):
            try:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            except FileNotFoundError:
                return

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Keep other threads, and other processes on this volume, out while a record is changed."""
        folder = self.cache / "locks"
        with disk_errors(self.root):
            folder.mkdir(parents=True, exist_ok=True)
            with lock_held(folder / safe(key)):
                yield

    def sweep_locks(self) -> None:
        """Delete the lock files that nobody has used for a day."""
        sweep_locks(self.cache / "locks")

    # --- is it usable -----------------------------------------------------------------------

    def check_usable(self) -> None:
        """Raise ReadOnlyVolume; a full volume is usable: room is made by deleting."""
        with suppress(DiskFull):
            self.check_writable()

    def check_writable(self) -> None:
        """Raise ReadOnlyVolume or DiskFull when a small file cannot be written."""
        self.write_bytes(self.cache / "writable", b"ok")


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
