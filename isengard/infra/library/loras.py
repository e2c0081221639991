"""LoRA versions on disk: ``loras/{character_id}/{version}.safetensors`` with its lineage beside it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from isengard.domain.lora import Lora
from isengard.domain.page import Page
from isengard.errors import NotFound
from isengard.infra.library.paging import page
from isengard.infra.storage import Storage


class LoraShelf:
    """Versions are numbered v1, v2 … per character and never overwritten."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def all(self, character_id: str | None = None) -> list[Lora]:
        """Return all LoRAs, newest first."""
        pattern = "v*.json"
        if character_id:
            records = self._storage.loras(character_id).glob(pattern)
        else:
            records = self._storage.loras().glob(f"*/{pattern}")
        found = (_read(path) for path in records if path.with_suffix(".safetensors").exists())
        return sorted((lora for lora in found if lora), key=lambda lora: lora.id, reverse=True)

    def list(self, character_id: str | None, cursor: str | None, limit: int) -> Page[Lora]:
        """Return a page, newest first."""
        by_id = {lora.id: lora for lora in self.all(character_id)}
        return page(list(by_id), cursor, limit, by_id.get)

    def get(self, lora_id: str) -> Lora:
        """Return one; raise NotFound."""
        for lora in self.all():
            if lora.id == lora_id:
                return lora
        raise NotFound("There is no such LoRA.", "It may have been deleted; reload the page.")

    def newest(self, character_id: str) -> Lora | None:
        """Return a character's newest LoRA, or None."""
        return next(iter(self.all(character_id)), None)

    def of_job(self, job_id: str) -> Lora | None:
        """Return the LoRA that a job made, if it got so far before a crash."""
        return next((lora for lora in self.all() if lora.job_id == job_id), None)

    def add(self, weights: Path, lora: Lora) -> Lora:
        """Copy checked weights in as the next version and write the lineage; the record comes last."""
        folder = self._storage.loras(lora.character_id)
        folder.mkdir(parents=True, exist_ok=True)
        version, target = _reserve(folder)
        try:
            with self._storage.writing(target) as partial:
                digest = _copy(weights, partial)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        stored = lora.model_copy(update={"version": version, "sha256": digest, "bytes": target.stat().st_size})
        self.save(stored)
        self._storage.write_json(folder / "training_config.json", stored.config | {"version": version})
        return stored

    def save(self, lora: Lora) -> None:
        """Write the lineage, whole or not at all."""
        self._storage.write_json(self.path(lora).with_suffix(".json"), lora.model_dump(mode="json"))

    def path(self, lora: Lora) -> Path:
        """Return where the weights lie."""
        return self._storage.loras(lora.character_id) / f"{lora.version}.safetensors"

    def delete(self, lora: Lora) -> None:
        """Delete the record, then the weights."""
        self.path(lora).with_suffix(".json").unlink(missing_ok=True)
        self.path(lora).unlink(missing_ok=True)


def _read(path: Path) -> Lora | None:
    try:
        return Lora.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:  # deleted since it was listed
        return None


def _reserve(folder: Path) -> tuple[str, Path]:
    """Claim the next version by creating its file exclusively: safe with several workers on one volume."""
    taken = [int(m[1]) for p in folder.iterdir() if (m := re.match(r"v(\d+)\.", p.name))]
    number = max(taken, default=0) + 1
    while True:
        target = folder / f"v{number}.safetensors"
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            number += 1
        else:
            return f"v{number}", target


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(1 << 20):
            digest.update(block)
            write.write(block)
    return digest.hexdigest()
