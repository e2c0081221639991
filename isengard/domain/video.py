"""What a video would be asked for. Nothing makes one yet."""

from __future__ import annotations

from pydantic import Field

from isengard.domain.request import GenerationRequest


class VideoRequest(GenerationRequest):
    """A picture's request, and how long it lasts; ``init_image`` is the first frame."""

    frames: int | None = Field(default=None, ge=1, le=1000)
    frames_per_second: float | None = Field(default=None, gt=0, le=120)
