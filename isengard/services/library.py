"""What was made: pictures and comparison grids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from isengard.domain.base import Value
from isengard.domain.output import Output
from isengard.domain.page import Page
from isengard.domain.request import Grid
from isengard.errors import NotFound
from isengard.infra.library import OutputShelf
from isengard.infra.storage import Storage


class GridOfPictures(Value):
    """A comparison grid: what changes along it, and its pictures with their cells."""

    job_id: str
    grid: Grid
    outputs: tuple[Output, ...]
    url: str = Field(description="All of it as one picture; 404 until the last cell is done.")


@dataclass(frozen=True)
class Outputs:
    """The gallery."""

    shelf: OutputShelf
    storage: Storage

    def list(self, character_id: str | None = None, cursor: str | None = None, limit: int = 60) -> Page[Output]:
        """Return a page, newest first."""
        return self.shelf.list(character_id, cursor, limit)

    def get(self, output_id: str) -> Output:
        """Return one; raise NotFound."""
        return self.shelf.get(output_id)

    def file(self, output_id: str, size: str) -> Path:
        """Return the file: ``thumb`` or ``full``."""
        output = self.shelf.get(output_id)
        return self.shelf.thumb(output) if size == "thumb" else self.shelf.path(output)

    def grid(self, job_id: str) -> GridOfPictures:
        """Return the comparison grid of a job, as far as it has come; raise NotFound."""
        grid, made = self.shelf.grid(job_id), self.shelf.of_job(job_id)
        return GridOfPictures(job_id=job_id, grid=grid, outputs=tuple(made), url=f"/api/grids/{job_id}/file")

    def grid_file(self, job_id: str) -> Path:
        """Return the grid as one picture; raise NotFound."""
        self.shelf.grid(job_id)
        path = self.storage.grid(job_id)
        if not path.exists():
            raise NotFound("The grid is not finished.", "It is there when the last of its pictures is done.")
        return path

    def delete(self, output_id: str) -> None:
        """Delete one picture."""
        self.shelf.delete(self.shelf.get(output_id))
