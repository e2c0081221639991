"""Every path under the volume, and the only ways to write there: whole files or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isengard.errors import DiskFull, NotFound
from isengard.infra.disk import disk_errors

GB = 2**30
SAFE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}\Z")
PARTIAL = ".partial"
FOLDERS = ("characters", "uploads", "datasets", "synthetic", "loras", "outputs", "comfyui", "cache", "work", "redis")


def safe(identifier: str) -> str:
    """Return an id that may become part of a path; raise NotFound for anything else."""
    if not SAFE_ID.match(identifier) or ".." in identifier:
        raise NotFound("There is nothing under that id.", "Reload the page; it may have been deleted.")
    return identifier


class Storage:
    """The storage contract: where everything lies."""

    def __init__(self, volume_root: Path, min_free_gb: float = 0.0) -> None:
        self.root = volume_root.resolve()
        self.min_free_gb = min_free_gb

    def prepare(self) -> None:
        """Make the folders and sweep away what a crash left half-written."""
        with disk_errors(self.root):
            for name in FOLDERS:
                (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in ("characters", "uploads", "datasets", "loras", "outputs"):
            for leftover in (self.root / name).rglob(f"*{PARTIAL}"):
                leftover.unlink(missing_ok=True)

    # --- where things lie -------------------------------------------------------------------

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def redis_dir(self) -> Path:
        """The engine and its major version are in the name: their files are not interchangeable."""
        return self.root / "redis" / "valkey-9"

    @property
    def models(self) -> Path:
        return self.root / "comfyui" / "models"

    def characters(self) -> Path:
        return self.root / "characters"

    def character(self, character_id: str) -> Path:
        return self.root / "characters" / f"{safe(character_id)}.json"

    def uploads(self, character_id: str) -> Path:
        return self.root / "uploads" / safe(character_id)

    def dataset(self, character_id: str) -> Path:
        return self.root / "datasets" / safe(character_id)

    def dataset_images(self, character_id: str) -> Path:
        return self.dataset(character_id) / "images"

    def dataset_metadata(self, character_id: str) -> Path:
        return self.dataset(character_id) / "metadata.json"

    def loras(self, character_id: str | None = None) -> Path:
        base = self.root / "loras"
        return base / safe(character_id) if character_id else base

    def outputs(self, job_id: str | None = None) -> Path:
        base = self.root / "outputs"
        return base / safe(job_id) if job_id else base

    def work(self, job_id: str) -> Path:
        return self.root / "work" / safe(job_id)

    def thumb(self, key: str) -> Path:
        return self.cache / "thumbs" / key[:2] / f"{safe(key)}.webp"

    def relative(self, path: Path) -> str:
        """Return a path as stored in records: relative to the volume, with forward slashes."""
        return path.resolve().relative_to(self.root).as_posix()

    def resolve(self, relative: str) -> Path:
        """Return the file behind a stored path; raise NotFound when it leaves the volume."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root):
            raise NotFound("That file is not on the volume.")
        return path

    # --- writing ----------------------------------------------------------------------------

    @contextmanager
    def writing(self, target: Path) -> Iterator[Path]:
        """Yield a temporary path that becomes ``target`` at the end, whole and synced, or vanishes on an error."""
        partial = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}{PARTIAL}")
        with disk_errors(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield partial
                _sync(partial)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)

    def write_json(self, target: Path, value: Any) -> None:
        """Write JSON, whole or not at all."""
        with self.writing(target) as partial:
            partial.write_text(json.dumps(value, ensure_ascii=False, indent=1, default=str), encoding="utf-8")

    def write_bytes(self, target: Path, data: bytes) -> None:
        """Write bytes, whole or not at all."""
        with self.writing(target) as partial:
            partial.write_bytes(data)

    def remove(self, path: Path) -> None:
        """Delete a file or folder; nothing happens when it is not there."""
        with disk_errors(self.root):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    # --- room -------------------------------------------------------------------------------

    def free_gb(self) -> float:
        """Free room on the volume, in GB of 2**30 bytes."""
        return shutil.disk_usage(self.root).free / GB

    def require_space(self, gb: float = 0.0) -> None:
        """Raise DiskFull unless ``gb`` and the reserve fit."""
        free = self.free_gb()
        if free < gb + self.min_free_gb:
            raise DiskFull(
                f"The volume has {free:.1f} GB left; this needs {gb + self.min_free_gb:.1f} GB.",
                "Delete pictures, LoRAs or the cache folder, or use a larger volume.",
            )

    def check_writable(self) -> None:
        """Raise ReadOnlyVolume or DiskFull when a small file cannot be written."""
        self.write_bytes(self.cache / ".writable", b"ok")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


