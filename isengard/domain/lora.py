"""A trained LoRA version and where it came from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from isengard.domain.base import Value, utc_now


class Lora(Value):
    """One version, stored as ``loras/{character_id}/{version}.safetensors`` with ``{version}.json`` beside it."""

    id: str
    character_id: str = Field(description="'imported' for files that came from elsewhere.")
    character_name: str = ""
    version: str = Field(examples=["v1"])
    trigger_word: str = ""
    base_model: str = Field(description="Registry id.")
    base_model_sha256: str = ""
    rank: int = 0
    alpha: float = 0
    steps: int = 0
    dataset_hash: str = ""
    image_count: int = 0
    sha256: str = ""
    bytes: int = 0
    job_id: str = ""
    correlation_id: str = ""
    config: dict[str, Any] = Field(default_factory=dict, description="The training config as it ran.")
    tool_versions: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    created_at: datetime = Field(default_factory=utc_now)

    @property
    def label(self) -> str:
        """Name for lists: ``Zara v2``."""
        return f"{self.character_name or self.character_id} {self.version}"


class LoraPatch(Value):
    """Fields of a LoRA that may be changed."""

    note: str | None = Field(default=None, max_length=2000)
    trigger_word: str | None = Field(default=None, max_length=60)
