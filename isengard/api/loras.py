"""Routes of LoRA versions: lists, changes, the trash, taking out and taking in."""

from __future__ import annotations

import shutil
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

from isengard.api.datasets import FOREVER
from isengard.api.parameters import CharacterFilter, Cursor, Key, Limit
from isengard.api.problems import responses
from isengard.domain.lora import Lora, LoraPatch
from isengard.domain.page import Page
from isengard.services.house import Isengard
from isengard.services.lora_origin import LoraReport
from isengard.services.loras import MAX_LORA_MB, Loras, file_name


class Trash(BaseModel):
    """Deleted versions, what was deleted last first."""

    items: list[Lora]


class Samples(BaseModel):
    """Names of sample pictures."""

    items: list[str]


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/loras."""
    routes = APIRouter(prefix="/api/loras", tags=["loras"], responses=responses(404, 409, 422))
    _many(routes, isengard.loras)
    _deleted(routes, isengard.loras)
    _one(routes, isengard.loras)
    _files(routes, isengard.loras)
    return routes


def _many(routes: APIRouter, loras: Loras) -> None:
    @routes.get("")
    def list_loras(character_id: CharacterFilter = None, cursor: Cursor = None, limit: Limit = 100) -> Page[Lora]:
        """List LoRA versions, newest first."""
        return loras.list(character_id, cursor, limit)

    @routes.post("/inspect")
    def inspect(
        file: Annotated[UploadFile, File(description="A .safetensors file, or its beginning with the header.")],
        size: Annotated[int, Form(ge=0, le=MAX_LORA_MB * 2**20, description="Bytes of the whole file.")] = 0,
    ) -> LoraReport:
        """Say what a LoRA file is, and which base models it may be for; nothing is kept."""
        with loras.storage.incoming() as path:
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target)
                target.truncate(max(size, target.tell()))  # what was not sent is a hole, which takes no room
            return loras.inspect(path)

    @routes.post("", status_code=201)
    def add(
        file: Annotated[UploadFile, File(description="A .safetensors file.")],
        base_model: Annotated[str, Form(examples=["pocket"])] = "",
        trigger_word: Annotated[str, Form(max_length=60)] = "",
        key: Key = None,
    ) -> Lora:
        """Import a LoRA that was trained elsewhere; without a base model the one that the file tells is taken."""
        with loras.storage.incoming() as path:
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target)
            return loras.add(path, file.filename or "", base_model, trigger_word, key)


def _deleted(routes: APIRouter, loras: Loras) -> None:
    @routes.get("/trash")
    def trash() -> Trash:
        """List deleted versions; each is kept for seven days after `deleted_at`."""
        return Trash(items=list(loras.deleted()))

    @routes.post("/trash/{lora_id}/restore")
    def restore(lora_id: str) -> Lora:
        """Take a version out of the trash, under its old number."""
        return loras.restore(lora_id)

    @routes.delete("/trash/{lora_id}", status_code=204, response_class=Response)
    def remove(lora_id: str) -> None:
        """Delete a version in the trash for good."""
        loras.remove(lora_id)


def _one(routes: APIRouter, loras: Loras) -> None:
    @routes.get("/{lora_id}")
    def get(lora_id: str) -> Lora:
        """Return one LoRA with its lineage."""
        return loras.get(lora_id)

    @routes.patch("/{lora_id}")
    def update(lora_id: str, patch: LoraPatch) -> Lora:
        """Change name, note or trigger word."""
        return loras.update(lora_id, patch)

    @routes.delete("/{lora_id}", status_code=204, response_class=Response)
    def delete(lora_id: str) -> None:
        """Put a LoRA into the trash; pictures made with it stay."""
        loras.delete(lora_id)


def _files(routes: APIRouter, loras: Loras) -> None:
    @routes.get("/{lora_id}/file", response_class=FileResponse)
    def file(lora_id: str) -> FileResponse:
        """Download the safetensors file."""
        name = f"{file_name(loras.get(lora_id))}.safetensors"
        return FileResponse(loras.file(lora_id), media_type="application/octet-stream", filename=name)

    @routes.get("/{lora_id}/export", response_class=StreamingResponse)
    def export(lora_id: str) -> StreamingResponse:
        """Download a ZIP archive: the file, its lineage, its training config, its sample pictures."""
        name = quote(f"{file_name(loras.get(lora_id))}.zip")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return StreamingResponse(loras.export(lora_id), media_type="application/zip", headers=headers)

    @routes.get("/{lora_id}/samples")
    def samples(lora_id: str) -> Samples:
        """List the names of its sample pictures."""
        return Samples(items=list(loras.samples(lora_id)))

    @routes.get("/{lora_id}/samples/{name}", response_class=FileResponse)
    def sample(lora_id: str, name: str) -> FileResponse:
        """Return one sample picture."""
        return FileResponse(loras.sample(lora_id, name), headers=FOREVER)
