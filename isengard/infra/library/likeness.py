"""How alike the gallery's pictures are to their characters, LoRA by LoRA."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from threading import Lock
from typing import NamedTuple

from isengard.infra.library.outputs import OutputShelf
from isengard.infra.storage import Storage


class Likeness(NamedTuple):
    """Mean of the calibrated scores, 0 to 1, and of how many pictures."""

    mean: float
    pictures: int


class _Job(NamedTuple):
    stamp: int
    pairs: list[tuple[str, float]]


class LikenessBook:
    """Counts pictures made with one LoRA alone. Reads a job's record again only when it changed."""

    def __init__(self, storage: Storage, outputs: OutputShelf) -> None:
        self._storage = storage
        self._outputs = outputs
        self._read: dict[str, _Job] = {}
        self._guard = Lock()

    def all(self) -> dict[str, Likeness]:
        """Return what is known, by the id of the LoRA."""
        scores: dict[str, list[float]] = defaultdict(list)
        for lora_id, score in self._scores():
            scores[lora_id].append(score)
        return {lora_id: Likeness(fmean(found), len(found)) for lora_id, found in scores.items()}

    def _scores(self) -> list[tuple[str, float]]:
        with self._guard:
            stamps = {
                path.parent.name: path.stat().st_mtime_ns for path in self._storage.outputs().glob("gen-*/outputs.json")
            }
            self._read = {job: read for job, read in self._read.items() if job in stamps}
            for job, stamp in stamps.items():
                known = self._read.get(job)
                if known is None or known.stamp != stamp:
                    self._read[job] = _Job(stamp, self._of_job(job))
            return [pair for read in self._read.values() for pair in read.pairs]

    def _of_job(self, job_id: str) -> list[tuple[str, float]]:
        found = []
        for output in self._outputs.of_job(job_id):
            loras = output.settings.get("loras") or []
            if output.similarity is not None and len(loras) == 1 and loras[0].get("strength"):
                found.append((str(loras[0]["id"]), output.similarity))
        return found
