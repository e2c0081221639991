"""The pictures a character is trained on, and the edits that made the set what it is."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from isengard.domain.base import Value, utc_now

Source = Literal["upload", "synthetic"]


class Crop(Value):
    """The part of a picture that training sees, in pixels of the upright original."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class TrainingImage(Value):
    """One picture of a character: the original in ``uploads/``, what training sees in ``datasets/``."""

    id: str
    filename: str = Field(description="The name it was uploaded under, made safe for display.")
    original: str = Field(description="File name under uploads/{character_id}/: the same pixels, without metadata.")
    curated: str = Field(description="File name under datasets/{character_id}/images/: upright and cropped.")
    width: int = Field(description="Pixels of the upright original.")
    height: int
    bytes: int
    sha256: str = Field(description="Of the uploaded bytes.")
    pixels_sha256: str = Field(default="", description="Of the upright pixels: the same picture in another file.")
    fingerprint: str = Field(default="", description="Difference hash of the whole picture, 32 hex digits.")
    crop: Crop | None = Field(default=None, description="None: the whole picture.")
    held_out: bool = Field(default=False, description="For evaluation only: never enters a training.")
    source: Source = "upload"
    caption: str = ""
    created_at: datetime = Field(default_factory=utc_now)


class Change(Value):
    """What an edit did to one picture: None before, it was added; None after, it was removed."""

    before: TrainingImage | None
    after: TrainingImage | None


class Edit(Value):
    """One step that can be undone. Edits of the same batch become one step."""

    id: str
    label: str = Field(examples=["Crop of portrait.jpg"])
    batch: str = ""
    changes: tuple[Change, ...]
    created_at: datetime = Field(default_factory=utc_now)


class EditLine(Value):
    """An edit as lists show it."""

    id: str
    label: str
    pictures: int = Field(description="How many it changed.")
    done: bool = Field(description="False: it was undone and can be done again.")
    created_at: datetime


class History(Value):
    """The edits of a dataset, newest first, and what undo and redo would do."""

    undo: str | None = Field(description="The edit that undo takes back.")
    redo: str | None = Field(description="The edit that redo does again.")
    edits: tuple[EditLine, ...]
