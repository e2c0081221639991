"""Generated pictures on disk: ``outputs/{job_id}/NNN.png`` with ``outputs.json`` beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isengard.domain.output import Output
from isengard.domain.page import Page
from isengard.domain.request import Grid
from isengard.errors import InvalidInput, NotFound
from isengard.infra.library.datasets import thumb_of
from isengard.infra.library.paging import MAX_LIMIT
from isengard.infra.storage import Storage


class OutputShelf:
    """Newest first. Job ids sort by time, so a page reads only its own folders."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def save(self, job_id: str, outputs: list[Output], grid: Grid | None = None) -> None:
        """Write the record of a job's pictures, whole or not at all."""
        rows = [output.model_dump(mode="json") for output in outputs]
        record = {"version": 1, "outputs": rows, "grid": grid.model_dump(mode="json") if grid else None}
        self._storage.write_json(self._storage.outputs(job_id) / "outputs.json", record)

    def of_job(self, job_id: str) -> list[Output]:
        """Return a job's pictures, in order; none when it has made none yet."""
        return [Output.model_validate(row) for row in self._record(job_id).get("outputs", ())]

    def grid(self, job_id: str) -> Grid:
        """Return what a job's comparison grid changes; raise NotFound when it made none."""
        found = self._record(job_id).get("grid")
        if not found:
            raise NotFound("That job made no grid.", "Choose a picture of a comparison grid.")
        return Grid.model_validate(found)

    def _record(self, job_id: str) -> dict[str, Any]:
        try:
            text = (self._storage.outputs(job_id) / "outputs.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        record: dict[str, Any] = json.loads(text)
        return record

    def get(self, output_id: str) -> Output:
        """Return one; raise NotFound."""
        job_id = output_id.rpartition(".")[0]
        for output in self.of_job(job_id) if job_id else []:
            if output.id == output_id:
                return output
        raise NotFound("There is no such picture.", "It may have been deleted; reload the page.")

    def list(self, character_id: str | None, cursor: str | None, limit: int) -> Page[Output]:
        """Return a page; ``cursor`` is the id of the last picture seen, ``total`` counts those of all characters."""
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidInput(f"limit is {limit}.", f"Use 1 to {MAX_LIMIT}.")
        cursor = cursor if cursor and cursor.rpartition(".")[2].isdecimal() else None
        jobs = sorted((p.name for p in self._storage.outputs().glob("gen-*") if p.is_dir()), reverse=True)
        before = cursor.rpartition(".")[0] if cursor else None
        items: list[Output] = []
        for job_id in jobs:
            if before is not None and job_id > before:
                continue
            items += [o for o in self.of_job(job_id) if _wanted(o, character_id, cursor)]
            if len(items) > limit:
                break
        chosen = items[:limit]
        return Page(items=tuple(chosen), next=chosen[-1].id if len(items) > limit else None, total=self._count(jobs))

    def _count(self, jobs: Sequence[str]) -> int:
        return sum(1 for job_id in jobs for p in self._storage.outputs(job_id).iterdir() if p.suffix == ".png")

    def path(self, output: Output) -> Path:
        """Return where the picture lies."""
        return self._storage.resolve(output.path)

    def thumb(self, output: Output) -> Path:
        """Return the thumbnail, made on first need."""
        return thumb_of(self._storage, self.path(output), output.id)

    def delete(self, output: Output) -> None:
        """Delete a picture; the last one takes the job's folder with it."""
        with self._storage.locked(output.job_id):
            remaining = [o for o in self.of_job(output.job_id) if o.id != output.id]
            record = self._record(output.job_id)
            self.save(output.job_id, remaining, Grid.model_validate(record["grid"]) if record.get("grid") else None)
            self.path(output).unlink(missing_ok=True)
            self._storage.thumb(output.id).unlink(missing_ok=True)
            if not remaining:
                self._storage.remove(self._storage.outputs(output.job_id))


def _wanted(output: Output, character_id: str | None, cursor: str | None) -> bool:
    if character_id and output.character_id != character_id:
        return False
    if cursor is None:
        return True
    job_id, _, index = cursor.rpartition(".")
    return output.job_id < job_id or int(output.id.rpartition(".")[2]) > int(index)
