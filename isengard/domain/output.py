"""A generated picture with everything needed to make it again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from isengard.domain.base import Value, utc_now


class Output(Value):
    """One picture in ``outputs/{job_id}/``; ``outputs.json`` beside it lists all of the job's."""

    id: str = Field(description="{job_id}.{index}")
    job_id: str
    path: str = Field(description="Relative to the volume.")
    url: str = ""
    seed: int
    width: int
    height: int
    similarity: float | None = Field(default=None, description="Calibrated 0..1; 0.7 means the same person.")
    drawn: bool = Field(default=False, description="The score is by the scale for drawings.")
    cosine: float | None = Field(default=None, description="Raw cosine to the character's centroid.")
    face_backend: str | None = None
    face_model: str | None = Field(default=None, description="SHA-256 of the net: scores of two are never compared.")
    character_id: str | None = None
    prompt: str = ""
    cell: tuple[int, int] | None = Field(default=None, description="Column and row, for a picture of a grid.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The GenerationRequest that made it.")
    correlation_id: str = ""
    created_at: datetime = Field(default_factory=utc_now)
