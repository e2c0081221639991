"""Synthetic pictures: what is asked for, what one shows, what was measured of it, and the record of them all."""

from __future__ import annotations

import string
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from isengard.domain.base import Value

MAX_TARGET = 200
TRIGGER = "trigger_word"
Template = Annotated[str, Field(min_length=1, max_length=1000)]
SourceName = Literal["auto", "proto_lora", "augmentation", "instruct_edit", "face_adapter"]
Decision = Literal["keep", "reject"]
Reason = Literal[
    "no_face", "several_faces", "small_face", "not_alike", "blurred", "copy_of_reference", "near_duplicate", "plain"
]


class Thresholds(Value):
    """What a picture must reach. All are scores from 0 to 1; changing them makes no picture anew."""

    similarity_threshold: float = Field(
        default=0.7, ge=0, le=1, description="Least identity score to the references; 0.7 means the same person."
    )
    min_sharpness: float = Field(default=0.3, ge=0, le=1, description="Least sharpness of the face.")
    copy_threshold: float = Field(
        default=0.9, ge=0.5, le=1, description="Alikeness to a reference from which on a picture is a copy of it."
    )
    duplicate_threshold: float = Field(
        default=0.9, ge=0.5, le=1, description="Alikeness to an earlier accepted picture that makes it a duplicate."
    )
    min_aesthetic: float | None = Field(
        default=None, ge=0, le=1, description="Least aesthetic score, where something here can tell it; None: any."
    )


class SyntheticConfig(Thresholds):
    """How to expand a character's pictures."""

    target_count: int = Field(default=50, ge=1, le=MAX_TARGET, description="Accepted pictures to aim for.")
    prompt_templates: tuple[Template, ...] = Field(
        default=(),
        max_length=50,
        description="Such as '{trigger_word} in {setting}, {lighting}, {pose}'; empty: those of the shot catalogue.",
    )
    use_controlnet: bool = Field(
        default=True, description="Let face adapters and pose control help, in sources that have them."
    )
    seed_start: int = Field(default=42, ge=0, le=2**31, description="The same seed makes the same pictures.")
    dry_run: bool = Field(
        default=False, description="No image model: variations of the references go through the whole pipeline."
    )
    source: SourceName = Field(default="auto", description="What makes the pictures; auto: the best that works here.")
    base_model: str = Field(default="", description="Registry id; empty: the best one here for the source.")
    lora_id: str = Field(default="", max_length=80, description="Draw with this LoRA; empty: train a quick one first.")
    max_attempts: int = Field(default=6, ge=1, le=20, description="Pictures drawn at most for each one wanted.")

    @field_validator("prompt_templates")
    @classmethod
    def _are_templates(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            if TRIGGER not in names_in(template):
                msg = f"the template '{template}' does not say {{{TRIGGER}}}"
                raise ValueError(msg)
        return templates

    @model_validator(mode="after")
    def _needs_no_model(self) -> SyntheticConfig:
        if self.lora_id and (self.dry_run or self.source not in {"auto", "proto_lora"}):
            msg = "lora_id is for the source proto_lora alone"
            raise ValueError(msg)
        return self

    @property
    def thresholds(self) -> Thresholds:
        """Its thresholds alone."""
        return Thresholds.model_validate(self.model_dump(include=set(Thresholds.model_fields)))


class SyntheticRequest(Value):
    """Expand a character's pictures."""

    character_id: str = Field(min_length=1, max_length=80)
    config: SyntheticConfig = SyntheticConfig()


def names_in(template: str) -> set[str]:
    """Return the names in braces; raise ValueError for braces that are no template."""
    fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    wrong = [name for name in fields if not name.isidentifier()]
    if wrong:
        msg = f"'{{{wrong[0]}}}' in a template is no name"
        raise ValueError(msg)
    return set(fields)


class Scores(Value):
    """What was measured of a picture; nothing here depends on thresholds."""

    faces: int = Field(description="Faces found, passers-by left out.")
    face_edge: float | None = Field(default=None, description="Shorter edge of the face's box, in pixels.")
    similarity: float | None = Field(default=None, description="Calibrated identity score, 0 to 1.")
    cosine: float | None = Field(default=None, description="Raw cosine to the references' centroid.")
    sharpness: float | None = Field(default=None, description="Of the face, 0 to 1.")
    copy_score: float | None = Field(default=None, description="Alikeness to the nearest reference, 0 to 1.")
    copy_of: str | None = Field(default=None, description="Id of that reference.")
    fingerprint: str = Field(default="", description="Difference hash of the whole picture, 32 hex digits.")
    aesthetic: float | None = None


class SyntheticPicture(Value):
    """One picture. ``passed`` is what becomes of it under the present thresholds and a person's decision."""

    id: str = Field(description="Follows from what the picture is made of: the same recipe has the same id.")
    run: int = Field(description="Place of its run in the manifest.")
    source: SourceName
    index: int = Field(description="Number of the attempt within its run, from 0.")
    slot: int = Field(description="The wanted picture that it is an attempt at.")
    seed: int
    shot: dict[str, str] = Field(description="What the catalogue wanted it to show, by axis.")
    prompt: str
    caption: str
    reference: str | None = Field(default=None, description="Id of the reference that it was made from.")
    width: int = 0
    height: int = 0
    sha256: str = ""
    scores: Scores = Scores(faces=0)
    decision: Decision | None = Field(default=None, description="A person's; overrides every threshold.")
    duplicate_score: float | None = Field(default=None, description="Alikeness to the nearest accepted one before it.")
    duplicate_of: str | None = None
    reasons: tuple[Reason, ...] = Field(default=(), description="Filters that it does not pass, the gravest first.")
    passed: bool = False

    @property
    def filename(self) -> str:
        """Name of its file, in ``images/`` or ``rejected/``."""
        return f"{self.id}.png"


class Reference(Value):
    """A picture of the character that the synthetic ones are made from and compared with."""

    id: str
    sha256: str


class SyntheticRun(Value):
    """One expansion: its parameters as it ran."""

    config: SyntheticConfig = Field(description="Every field filled.")
    source: SourceName
    trigger_word: str
    references: tuple[Reference, ...]
    unused: tuple[str, ...] = Field(
        default=(), description="Ids of photos that are no references: not exactly one face, or another person's."
    )
    basis: dict[str, Any] = Field(description="What the source draws with: base model, LoRA, steps, guidance.")
    face_backend: str
    reference_score: float | None = Field(
        default=None, description="Median score of each reference against the others: what this person reaches."
    )
    face_model: str = Field(default="", description="SHA-256 of the model that scores identity.")


class Manifest(Value):
    """All of a character's synthetic pictures, as in ``synthetic/{character_id}/manifest.json``."""

    version: Literal[1] = 1
    character_id: str
    thresholds: Thresholds = Thresholds()
    runs: tuple[SyntheticRun, ...] = ()
    pictures: tuple[SyntheticPicture, ...] = ()

    @property
    def counts(self) -> dict[str, Any]:
        """Count generated, passed and rejected; each rejected picture once, under its gravest reason."""
        refused = [picture for picture in self.pictures if not picture.passed]
        why = Counter("by_hand" if picture.decision == "reject" else picture.reasons[0] for picture in refused)
        return {
            "generated": len(self.pictures),
            "passed": len(self.pictures) - len(refused),
            "rejected": len(refused),
            "rejected_by_reason": dict(sorted(why.items())),
            "kept_by_hand": sum(picture.decision == "keep" for picture in self.pictures),
        }

    @property
    def coverage(self) -> dict[str, dict[str, int]]:
        """Count the passed pictures by axis and value of the shot catalogue."""
        found: dict[str, Counter[str]] = {}
        for picture in self.pictures:
            for axis, value in picture.shot.items():
                found.setdefault(axis, Counter())[value] += picture.passed
        return {axis: dict(sorted(values.items())) for axis, values in sorted(found.items())}

    def record(self) -> dict[str, Any]:
        """Return what is written to disk; what follows from the rest is written too, for people who read it."""
        return {**self.model_dump(mode="json"), "counts": self.counts, "coverage": self.coverage}
