"""A character, and the statement about whose face it is."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from isengard.domain.base import Value, utc_now

Consent = Literal["self", "with_permission", "fictional"]
STATEMENTS: dict[Consent, str] = {
    "self": "These are pictures of me.",
    "with_permission": "The person in these pictures gave permission to train a model of their face and to make "
    "pictures with it.",
    "fictional": "The character in these pictures is fictional: no real person is shown.",
}


class ConsentStatement(Value):
    """What a person states about whose face it is."""

    kind: Consent
    by: str = Field(default="", max_length=120, description="Who states it.", examples=["Sam Field"])
    note: str = Field(default="", max_length=500, description="Who gave permission, when and how.")


class ConsentRecord(ConsentStatement):
    """A statement as it was recorded."""

    statement: str = Field(description="The words that were agreed to.")
    stated_at: datetime = Field(default_factory=utc_now)

    @classmethod
    def of(cls, stated: ConsentStatement) -> ConsentRecord:
        """Record a statement now."""
        return cls(kind=stated.kind, by=stated.by, note=stated.note, statement=STATEMENTS[stated.kind])


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
    held_out_count: int = Field(default=0, description="Of its pictures, those that never enter a training.")
    consent_record: ConsentRecord | None = Field(default=None, description="Who stated the consent, when and how.")
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)
    sample: bool = Field(default=False, description="Made by 'Try it with a sample character'.")

    @property
    def training_count(self) -> int:
        """How many pictures a training would see."""
        return self.image_count - self.held_out_count
