"""A dataset's check-up: what was found before any GPU hour, on which evidence, and how it can be mended."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from isengard.domain.base import Value
from isengard.domain.dataset import Crop

Severity = Literal["stop", "warn", "note"]
Verdict = Literal["ready", "usable", "not_ready", "examining"]
Kind = Literal[
    "no_face",
    "several_faces",
    "small_face",
    "cut_face",
    "training_cut",
    "blurred_face",
    "faces_unknown",
    "other_person",
    "unsure_person",
    "mixed_people",
    "duplicate",
    "near_duplicate",
    "too_few",
    "too_many",
    "low_resolution",
    "unreadable",
    "same_pose",
    "same_framing",
    "same_light",
    "same_background",
    "same_expression",
    "caption_missing",
    "trigger_missing",
    "trigger_misspelt",
    "trigger_inside",
    "trait_described",
    "word_everywhere",
    "consent_missing",
    "licence",
]
Box = tuple[float, float, float, float]


class Evidence(Value):
    """A picture that shows what was found."""

    image_id: str
    filename: str
    box: Box | None = Field(default=None, description="Left, top, width, height as shares of the picture.")
    note: str = ""


class Fix(Value):
    """What one click does; the dataset's undo takes it back."""

    action: Literal["crop", "remove", "caption"]
    label: str
    image_ids: tuple[str, ...] = ()
    crop: Crop | None = Field(default=None, description="For crop; None: the whole picture again.")
    captions: dict[str, str] = Field(default_factory=dict, description="For caption: the new text by picture.")


class Finding(Value):
    """One thing that is, or may be, wrong."""

    id: str = Field(description="The same for the same thing in the same pictures.")
    kind: Kind
    severity: Severity
    title: str
    reason: str = Field(description="What was measured, and why it matters.")
    advice: str = ""
    evidence: tuple[Evidence, ...] = ()
    fix: Fix | None = None
    ignored: bool = False


class Bucket(Value):
    """Pictures that are trained at the same size."""

    width: int
    height: int
    pictures: int
    enlarged: int = Field(default=0, description="Of them, those that have fewer pixels than the bucket.")


class Person(Value):
    """How well the pictures agree on one face, by one model."""

    backend: str
    model_sha256: str
    agreeing: int
    disagreeing: int
    median_score: float = Field(description="Of each picture against all the others; 0.7 means the same person.")
    lowest_score: float = Field(description="Of the person's own pictures.")
    median_cosine: float


class Checkup(Value):
    """The Doctor's report."""

    character_id: str
    verdict: Verdict
    headline: str
    pictures: int
    looked_at: int = Field(description="Fewer than pictures: ask again, and it goes on where it stopped.")
    base_model: str
    resolution: int
    findings: tuple[Finding, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    person: Person | None = None
    variety: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Pictures by pose, framing, light and place."
    )
    licences: tuple[str, ...] = ()
    seconds: float = 0.0
