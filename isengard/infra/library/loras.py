"""LoRA versions on disk: ``loras/{character_id}/{version}.safetensors`` with its lineage beside it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from isengard.domain.base import utc_now
from isengard.domain.lora import Lora
from isengard.domain.page import Page
from isengard.errors import NotFound
from isengard.infra.library.paging import page
from isengard.infra.storage import Storage, safe
from isengard.infra.weights_copy import copy_weights

CHECKPOINT = re.compile(r"(?P<job>[a-z0-9-]+)\.step-(?P<step>\d{1,9})\Z")
SAMPLES = (".webp", ".png", ".jpg", ".jpeg")
SAMPLES_KEPT = 8


class LoraShelf:
    """Versions are numbered v1, v2 … per character; a number is never given twice.

    ``{version}.samples/`` holds the training's last sample pictures. Checkpoints lie below, and are found by their id.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def all(self, character_id: str | None = None) -> list[Lora]:
        """Return all LoRAs, newest first."""
        pattern = "v*.json"
        if character_id:
            records = self._storage.loras(character_id).glob(pattern)
        else:
            records = self._storage.loras().glob(f"*/{pattern}")
        found = (read_lora(path) for path in records if path.with_suffix(".safetensors").exists())
        return sorted((lora for lora in found if lora), key=lambda lora: lora.id, reverse=True)

    def list(self, character_id: str | None, cursor: str | None, limit: int) -> Page[Lora]:
        """Return a page, newest first."""
        by_id = {lora.id: lora for lora in self.all(character_id)}
        return page(list(by_id), cursor, limit, by_id.get)

    def get(self, lora_id: str) -> Lora:
        """Return a version or a checkpoint; raise NotFound."""
        checkpoint = CHECKPOINT.match(lora_id)
        found = self.checkpoints(checkpoint["job"]) if checkpoint else self.all()
        for lora in found:
            if lora.id == lora_id:
                return lora
        raise NotFound("There is no such LoRA.", "It may have been deleted; reload the page.")

    def newest(self, character_id: str) -> Lora | None:
        """Return a character's newest LoRA, or None."""
        return next(iter(self.all(character_id)), None)

    def of_job(self, job_id: str) -> Lora | None:
        """Return the LoRA that a job ended with, if it got so far before a crash."""
        ended = (lora for lora in self.all() if lora.from_checkpoint is None)
        return next((lora for lora in ended if lora.job_id == job_id), None)

    def add(
        self, weights: Path, lora: Lora, more: Mapping[str, str] | None = None, samples: Sequence[Path] = ()
    ) -> Lora:
        """Copy checked weights in as the next version and write the lineage; the record comes last.

        ``more`` is written into the file as metadata; ``samples`` are pictures, of which the last are kept.
        """
        folder = self._storage.loras(lora.character_id)
        folder.mkdir(parents=True, exist_ok=True)
        version, target = _reserve(folder)
        try:
            with self._storage.writing(target) as partial:
                digest = copy_weights(weights, partial, more)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        stored = lora.model_copy(update={"version": version, "sha256": digest, "bytes": target.stat().st_size})
        self._keep_samples(stored, samples)
        self.save(stored)
        self._storage.write_json(folder / "training_config.json", stored.config | {"version": version})
        return stored

    def _keep_samples(self, lora: Lora, samples: Sequence[Path]) -> None:
        for number, picture in enumerate(samples[-SAMPLES_KEPT:]):
            with self._storage.writing(self.samples_folder(lora) / f"{number:03d}{picture.suffix}") as partial:
                shutil.copyfile(picture, partial)

    def save(self, lora: Lora) -> None:
        """Write the lineage, whole or not at all."""
        self._storage.write_json(self.path(lora).with_suffix(".json"), lora.record())

    def path(self, lora: Lora) -> Path:
        """Return where the weights lie."""
        if lora.checkpoint is not None:
            folder = self._storage.loras(lora.character_id) / "checkpoints" / safe(lora.job_id)
            return folder / f"step-{lora.checkpoint:09d}.safetensors"
        return self._storage.loras(lora.character_id) / f"{lora.version}.safetensors"

    def samples_folder(self, lora: Lora) -> Path:
        """Return where its sample pictures lie, or would lie."""
        return self.path(lora).with_suffix(".samples")

    def samples(self, lora: Lora) -> Sequence[Path]:
        """Return its sample pictures, in order."""
        return sorted(path for path in self.samples_folder(lora).glob("*") if path.suffix in SAMPLES)

    # --- checkpoints ------------------------------------------------------------------------

    def checkpoints(self, job_id: str) -> Sequence[Lora]:
        """Return the checkpoints of a training that are kept, oldest first."""
        records = self._storage.loras().glob(f"*/checkpoints/{safe(job_id)}/step-*.json")
        return sorted(_whole(records), key=lambda lora: lora.checkpoint or 0)

    def keep_checkpoint(self, weights: Path, lora: Lora, step: int) -> Lora:
        """Keep what a training had learnt at a step; a second time in place of the first.

        The file is linked where the volume can do that: it takes no room while the training keeps it too.
        """
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        named = {"id": f"{lora.job_id}.step-{step}", "version": f"step {step}", "checkpoint": step, "steps": step}
        size = weights.stat().st_size
        kept = lora.model_copy(update={**named, "sha256": digest, "bytes": size, "created_at": utc_now()})
        with self._storage.writing(self.path(kept)) as partial:
            try:
                os.link(weights, partial)
            except OSError:
                shutil.copyfile(weights, partial)
        self.save(kept)
        return kept

    def mark_looked_at(self, lora: Lora) -> None:
        """Note that a person has seen a training's checkpoints: only then may they be tidied up."""
        marker = self.path(lora).parent / self._storage.LOOKED_AT
        if not marker.exists():
            self._storage.write_bytes(marker, b"")

    def delete_checkpoint(self, lora: Lora) -> None:
        """Delete the record, then the weights; the last one takes the folder with it."""
        path = self.path(lora)
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if not any(path.parent.glob("step-*")):
            self._storage.remove(path.parent)


def read_lora(path: Path) -> Lora | None:
    """Read a record; None when it was deleted since it was listed."""
    try:
        return Lora.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _whole(records: Iterable[Path]) -> Iterable[Lora]:
    for path in records:
        lora = read_lora(path) if path.with_suffix(".safetensors").exists() else None
        if lora:
            yield lora


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
