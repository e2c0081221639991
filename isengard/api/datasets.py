"""Routes of a character's pictures: intake, edits with undo, captions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Query, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import Field

from isengard.api.parameters import Cursor, Key, Limit
from isengard.api.problems import responses
from isengard.domain.base import Value
from isengard.domain.dataset import Crop, History, TrainingImage
from isengard.domain.page import Page
from isengard.services.captions import Affix, CaptionReport, Replacement, Tag
from isengard.services.datasets import FileSize
from isengard.services.house import Isengard
from isengard.services.uploads import Upload, UploadReport

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
FRESH = {"Cache-Control": "private, no-cache"}
Batch = Annotated[str, Query(max_length=60, description="Uploads with the same word are undone in one step.")]
PictureSize = Annotated[
    FileSize,
    Query(description="thumb: WebP of at most 320 px. full: as training sees it. whole: not cropped."),
]


class ImagePatch(Value):
    """What may be changed of a picture; what is left out stays."""

    caption: str | None = Field(default=None, examples=["a photo of ohwx person in a park, natural light, smiling"])
    held_out: bool | None = Field(default=None, description="For evaluation only: never enters a training.")


class Chosen(Value):
    """Pictures by id."""

    image_ids: tuple[str, ...] = Field(min_length=1, max_length=500)


class HoldOut(Chosen):
    """Pictures to hold out, or to let into training again."""

    held_out: bool = True


class CaptionTable(Value):
    """Captions by picture id."""

    captions: dict[str, str] = Field(min_length=1, max_length=500)


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/characters/{character_id}."""
    routes = APIRouter(prefix="/api/characters/{character_id}", tags=["datasets"], responses=responses(404, 409, 422))
    _pictures(routes, isengard)
    _edits(routes, isengard)
    _history(routes, isengard)
    _captions(routes, isengard)
    return routes


def _pictures(routes: APIRouter, isengard: Isengard) -> None:
    datasets = isengard.datasets

    @routes.post("/images", status_code=201)
    def add(
        character_id: str, files: Annotated[list[UploadFile], File()], key: Key = None, batch: Batch = ""
    ) -> UploadReport:
        """Add pictures, zips of pictures, and `.txt` captions named like them."""
        uploads = [Upload(file.filename or "picture", file.file) for file in files]
        return datasets.intake.add(character_id, uploads, key, batch)

    @routes.get("/images")
    def list_images(character_id: str, cursor: Cursor = None, limit: Limit = 200) -> Page[TrainingImage]:
        """List pictures, oldest first."""
        return datasets.images(character_id, cursor, limit)

    @routes.get("/images/{image_id}")
    def image(character_id: str, image_id: str) -> TrainingImage:
        """Return one picture's record."""
        return datasets.image(character_id, image_id)

    @routes.get("/images/{image_id}/file", response_class=FileResponse)
    def file(
        character_id: str, image_id: str, size: PictureSize = "full", v: Annotated[str, Query(max_length=80)] = ""
    ) -> FileResponse:
        """Return the picture itself, upright and without metadata. With `v` (any word), browsers keep it for good."""
        return FileResponse(datasets.file(character_id, image_id, size), headers=FOREVER if v else FRESH)

    @routes.delete("/images/{image_id}", status_code=204, response_class=Response)
    def remove(character_id: str, image_id: str) -> None:
        """Remove a picture; undo brings it back."""
        datasets.remove(character_id, [image_id])


def _edits(routes: APIRouter, isengard: Isengard) -> None:
    datasets = isengard.datasets

    @routes.patch("/images/{image_id}")
    def change(character_id: str, image_id: str, patch: ImagePatch) -> TrainingImage:
        """Change the caption, or hold the picture out."""
        if patch.caption is not None:
            datasets.caption(character_id, image_id, patch.caption)
        if patch.held_out is not None:
            datasets.hold_out(character_id, [image_id], held_out=patch.held_out)
        return datasets.image(character_id, image_id)

    @routes.put("/images/{image_id}/crop")
    def crop(character_id: str, image_id: str, area: Crop) -> TrainingImage:
        """Let training see only this part of the picture."""
        return datasets.crop(character_id, image_id, area)

    @routes.delete("/images/{image_id}/crop")
    def uncrop(character_id: str, image_id: str) -> TrainingImage:
        """Let training see the whole picture again."""
        return datasets.crop(character_id, image_id, None)

    @routes.post("/images/remove", status_code=200)
    def remove_many(character_id: str, chosen: Chosen) -> History:
        """Remove pictures in one step."""
        datasets.remove(character_id, chosen.image_ids)
        return datasets.history(character_id)

    @routes.post("/images/hold-out", status_code=200)
    def hold_out(character_id: str, wanted: HoldOut) -> list[TrainingImage]:
        """Hold pictures out of every training, look-alikes with them; return those that changed."""
        return datasets.hold_out(character_id, wanted.image_ids, held_out=wanted.held_out)


def _history(routes: APIRouter, isengard: Isengard) -> None:
    datasets = isengard.datasets

    @routes.get("/history")
    def history(character_id: str) -> History:
        """List the edits, newest first, and what undo and redo would do."""
        return datasets.history(character_id)

    @routes.post("/undo", status_code=200)
    def undo(character_id: str) -> History:
        """Take the last edit back."""
        datasets.undo(character_id)
        return datasets.history(character_id)

    @routes.post("/redo", status_code=200)
    def redo(character_id: str) -> History:
        """Do again what was undone last."""
        datasets.redo(character_id)
        return datasets.history(character_id)

    @routes.delete("/history", status_code=204, response_class=Response)
    def forget(character_id: str) -> None:
        """Forget the edits; removed pictures are deleted for good."""
        datasets.forget(character_id)


def _captions(routes: APIRouter, isengard: Isengard) -> None:
    captions = isengard.datasets.captions

    @routes.put("/captions")
    def set_captions(character_id: str, table: CaptionTable) -> CaptionReport:
        """Give captions to many pictures in one step."""
        return captions.set(character_id, table.captions)

    @routes.post("/captions/replace", status_code=200)
    def replace(character_id: str, wanted: Replacement) -> CaptionReport:
        """Find and replace in captions."""
        return captions.replace(character_id, wanted)

    @routes.post("/captions/affix", status_code=200)
    def affix(character_id: str, wanted: Affix) -> CaptionReport:
        """Add text to the start or the end of captions."""
        return captions.affix(character_id, wanted)

    @routes.get("/captions/tags")
    def tags(character_id: str) -> list[Tag]:
        """Count the parts of captions between commas."""
        return list(captions.tags(character_id))
