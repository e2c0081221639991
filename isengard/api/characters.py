"""Routes of characters and their pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, File, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from isengard.api.parameters import Cursor, Key, Limit, Size
from isengard.api.problems import responses
from isengard.domain.character import Character, CharacterPatch, NewCharacter, TrainingImage
from isengard.domain.page import Page
from isengard.services.datasets import Upload, UploadReport
from isengard.services.house import Isengard

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
EXAMPLE = {"zara": {"value": {"name": "Zara", "trigger_word": "ohwx person", "consent": "self"}}}


class CaptionPatch(BaseModel):
    """A picture's new caption."""

    caption: str = Field(examples=["a photo of ohwx person in a park, natural light, smiling"])


def router(isengard: Isengard) -> APIRouter:
    """Return the routes under /api/characters."""
    routes = APIRouter(prefix="/api/characters", tags=["characters"], responses=responses(404, 422))
    _characters(routes, isengard)
    _images(routes, isengard)
    return routes


def _characters(routes: APIRouter, isengard: Isengard) -> None:
    characters = isengard.characters

    @routes.post("", status_code=201)
    def create(new: Annotated[NewCharacter, Body(openapi_examples=EXAMPLE)], key: Key = None) -> Character:
        """Make a character."""
        return characters.create(new, key)

    @routes.post("/sample", status_code=201)
    def create_sample(key: Key = None) -> Character:
        """Make the sample character with its twelve pictures."""
        return characters.create_sample(key)

    @routes.get("")
    def list_characters(cursor: Cursor = None, limit: Limit = 50) -> Page[Character]:
        """List characters, newest first."""
        return characters.list(cursor, limit)

    @routes.get("/{character_id}")
    def get(character_id: str) -> Character:
        """Return one character."""
        return characters.get(character_id)

    @routes.patch("/{character_id}")
    def update(character_id: str, patch: CharacterPatch) -> Character:
        """Change the fields that are sent."""
        return characters.update(character_id, patch)

    @routes.delete("/{character_id}", status_code=204, response_class=Response)
    def delete(character_id: str) -> None:
        """Delete a character and its pictures; LoRAs and generated pictures stay."""
        characters.delete(character_id)


def _images(routes: APIRouter, isengard: Isengard) -> None:
    datasets = isengard.datasets

    @routes.post("/{character_id}/images", status_code=201)
    def add(character_id: str, files: Annotated[list[UploadFile], File()], key: Key = None) -> UploadReport:
        """Add pictures, and `.txt` captions named like them."""
        uploads = [Upload(file.filename or "picture", file.file.read()) for file in files]
        return datasets.add(character_id, uploads, key)

    @routes.get("/{character_id}/images")
    def list_images(character_id: str, cursor: Cursor = None, limit: Limit = 200) -> Page[TrainingImage]:
        """List pictures, oldest first."""
        return datasets.images(character_id, cursor, limit)

    @routes.get("/{character_id}/images/{image_id}")
    def image(character_id: str, image_id: str) -> TrainingImage:
        """Return one picture's record."""
        return datasets.image(character_id, image_id)

    @routes.get("/{character_id}/images/{image_id}/file", response_class=FileResponse)
    def file(character_id: str, image_id: str, size: Size = "full") -> FileResponse:
        """Return the picture itself, upright and without metadata."""
        return FileResponse(datasets.file(character_id, image_id, size), headers=FOREVER)

    @routes.patch("/{character_id}/images/{image_id}")
    def caption(character_id: str, image_id: str, patch: CaptionPatch) -> TrainingImage:
        """Change the caption."""
        return datasets.caption(character_id, image_id, patch.caption)

    @routes.delete("/{character_id}/images/{image_id}", status_code=204, response_class=Response)
    def remove(character_id: str, image_id: str) -> None:
        """Remove a picture."""
        datasets.remove(character_id, image_id)
