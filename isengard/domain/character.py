"""A character and the pictures it is trained on."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from isengard.domain.base import Value, utc_now

Consent = Literal["self", "with_permission", "fictional"]


class NewCharacter(Value):
    """What a person types to make a character."""

    name: str = Field(min_length=1, max_length=80, examples=["Zara"])
    trigger_word: str = Field(min_length=2, max_length=60, examples=["ohwx person"])
    description: str = Field(default="", max_length=2000)
    consent: Consent | None = Field(default=None, description="Whose face it is; None: not yet stated.")


class CharacterPatch(Value):
    """Fields of a character that may be changed; None leaves a field as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=80)
    trigger_word: str | None = Field(default=None, min_length=2, max_length=60)
    description: str | None = Field(default=None, max_length=2000)
    consent: Consent | None = None


class Character(NewCharacter):
    """A character as stored in ``characters/{id}.json``."""

    id: str
    image_count: int = 0
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)
    sample: bool = Field(default=False, description="Made by 'Try it with a sample character'.")


class TrainingImage(Value):
    """One picture of a character: the original in ``uploads/``, the upright copy in ``datasets/``."""

    id: str
    filename: str = Field(description="The name it was uploaded under, made safe for display.")
    original: str = Field(description="File name under uploads/{character_id}/.")
    curated: str = Field(description="File name under datasets/{character_id}/images/.")
    width: int = Field(description="Pixels, upright.")
    height: int
    bytes: int
    sha256: str = Field(description="Of the uploaded bytes.")
    caption: str = ""
    created_at: datetime = Field(default_factory=utc_now)
