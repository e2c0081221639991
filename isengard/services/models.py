"""The registry, seen from this machine: what is here, what it can do, and fetching what is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isengard.domain.base import Value
from isengard.domain.base_model import BaseModelRow, Source
from isengard.domain.job import Job
from isengard.domain.page import Page
from isengard.domain.request import DownloadRequest
from isengard.errors import Conflict
from isengard.infra.download_plan import Item, missing_bytes
from isengard.infra.downloads import Downloader
from isengard.infra.queue import Queue
from isengard.infra.storage import GB, Storage
from isengard.observability import correlation_id
from isengard.services.choice import BaseModelChoice


class FileHere(Value):
    """A file of a source: where it belongs below the models folder, and how much of it is there, in bytes."""

    path: str
    size: int | None
    here: bool
    begun: int = 0


class Download(Value):
    """What one source would bring, and what of it is here. ``bytes`` is 0 where nobody knows."""

    id: str
    use: tuple[str, ...]
    origin: str
    bytes: int
    gated: bool
    here: bool
    files: tuple[FileHere, ...]


class Model(Value):
    """A registry row and what can be done with it here."""

    row: BaseModelRow
    installed: bool
    can_train: bool
    can_generate: bool
    folder: str
    reason: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class Models:
    """Nothing is fetched unless a person asks for it."""

    choice: BaseModelChoice
    storage: Storage
    queue: Queue
    downloader: Downloader

    def list(self) -> Page[Model]:
        """Return every row."""
        items = tuple(self._model(row) for row in self.choice.registry.rows())
        return Page[Model](items=items, total=len(items))

    def get(self, model_id: str) -> Model:
        """Return one; raise NotFound."""
        return self._model(self.choice.registry.get(model_id))

    def download(self, request: DownloadRequest, idempotency_key: str | None = None) -> Job:
        """Queue a download; raise NotFound, Conflict when there is nothing to fetch, DiskFull when it cannot fit."""
        row = self.choice.registry.get(request.model_id)
        source = self.choice.registry.source(row, request.source)
        named = request.model_copy(update={"source": source.id})
        if not idempotency_key:
            self._refuse_second(named)
        items = self.downloader.named(source)
        if items and all(item.here for item in items):
            raise Conflict(f"{row.name}: these files are here already.", "Nothing is left to do.")
        self.storage.require_space(missing_bytes(items, source.bytes) / GB)
        job = Job.of(named, correlation_id(), f"{row.name}: download for {' and '.join(source.use)}")
        return self.queue.submit(job, idempotency_key)

    def _refuse_second(self, request: DownloadRequest) -> None:
        for status in ("queued", "running"):
            for job in self.queue.list("download", status, limit=200).items:
                if job.payload == request.model_dump(mode="json"):
                    raise Conflict("This download is under way already.", f"Watch it in the job list: {job.id}.")

    def _model(self, row: BaseModelRow) -> Model:
        train = row.kind == "base_model" and self.choice.can_train(row)
        generate = row.kind == "base_model" and self.choice.can_generate(row)
        folder = self.choice.registry.folder(row)
        face = row.kind == "face_model" and any(
            backend.name == row.id and backend.status().available for backend in self.choice.plugins.face
        )
        downloads = tuple(self._download(source) for source in row.sources)
        adapter = row.kind == "training_adapter" and any(download.here for download in downloads)
        here = train or generate or face or adapter
        return Model(
            row=row,
            installed=here,
            can_train=train,
            can_generate=generate,
            folder=str(folder),
            reason="" if here else _missing(row, folder),
            downloads=downloads,
        )

    def _download(self, source: Source) -> Download:
        items = self.downloader.named(source)
        files = tuple(_file(item) for item in items)
        here = all(file.here for file in files) if files else self.downloader.came(source)
        return Download(
            id=source.id,
            use=source.use,
            origin=source.name,
            bytes=source.bytes,
            gated=source.gated,
            here=here,
            files=files,
        )


def _file(item: Item) -> FileHere:
    return FileHere(path=item.name, size=item.size, here=item.here, begun=item.begun)


def _missing(row: BaseModelRow, folder: Path) -> str:
    if not row.sources:
        return f"Not here. Put the diffusers-format folder of {row.source} at {folder}."
    said = "Not downloaded, or no backend for it is set up here."
    if row.comfyui:
        said += f" For ComfyUI it needs {', '.join(row.comfyui.values())} below {folder.parent}."
    return said
