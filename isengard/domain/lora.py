"""A trained LoRA version and where it came from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from isengard.domain.base import Value, utc_now
from isengard.domain.preflight import Forecast, Measured

FROM_GALLERY = {"likeness", "likeness_pictures"}  # worked out from the gallery each time, never stored
MAX_NAME = 80


class Lora(Value):
    """One version, stored as ``loras/{character_id}/{version}.safetensors`` with ``{version}.json`` beside it.

    A checkpoint of a training is one too, with the step in ``checkpoint``; it becomes a version when a person says so.
    """

    id: str
    character_id: str = Field(description="'imported' for files that came from elsewhere.")
    character_name: str = ""
    version: str = Field(examples=["v1"])
    name: str = Field(default="", description="What a person called it; empty: character and version.")
    trigger_word: str = ""
    base_model: str = Field(description="Registry id.")
    base_model_sha256: str = ""
    rank: int = 0
    alpha: float = 0
    steps: int = 0
    dataset_hash: str = ""
    image_count: int = 0
    tag_frequency: dict[str, int] = Field(default_factory=dict, description="How often each tag is in the captions.")
    sha256: str = ""
    bytes: int = 0
    job_id: str = ""
    correlation_id: str = ""
    config: dict[str, Any] = Field(default_factory=dict, description="The training config as it ran.")
    tool_versions: dict[str, str] = Field(default_factory=dict)
    forecast: Forecast | None = Field(default=None, description="What was foretold when the training began.")
    measured: Measured | None = Field(default=None, description="What the training took.")
    parent_id: str = Field(default="", description="The version that the training went on from.")
    parent_label: str = ""
    steps_before: int = Field(default=0, description="Steps of the versions that it went on from, together.")
    checkpoint: int | None = Field(default=None, description="Step of its training; None: a version.")
    from_checkpoint: int | None = Field(default=None, description="Step of the checkpoint that the version was.")
    origin: str = Field(default="", description="What an imported file says of itself.")
    note: str = ""
    created_at: datetime = Field(default_factory=utc_now)
    deleted_at: datetime | None = Field(default=None, description="When it was put into the trash.")
    likeness: float | None = Field(default=None, description="Mean score of the gallery's pictures made with it.")
    likeness_pictures: int = 0

    @property
    def label(self) -> str:
        """Name for lists: ``Zara v2``."""
        return self.name or f"{self.character_name or self.character_id} {self.version}".strip()

    @property
    def number(self) -> int:
        """Number of the version, 0 for a checkpoint."""
        digits = self.version.removeprefix("v")
        return int(digits) if digits.isdecimal() else 0

    @property
    def total_steps(self) -> int:
        """Steps of the whole line that ends here."""
        return self.steps_before + self.steps

    def record(self) -> dict[str, Any]:
        """Return what is stored."""
        return self.model_dump(mode="json", exclude=FROM_GALLERY)


class LoraPatch(Value):
    """Fields of a LoRA that may be changed."""

    name: str | None = Field(default=None, max_length=MAX_NAME, description="Empty: character and version again.")
    note: str | None = Field(default=None, max_length=2000)
    trigger_word: str | None = Field(default=None, max_length=60)


class LoraFacts(Value):
    """What the names and shapes in a LoRA file say, without a tensor being loaded."""

    families: tuple[str, ...] = Field(default=(), description="Architectures it may be of; several: not told apart.")
    fits: tuple[str, ...] = Field(default=(), description="Base models whose own weights were compared, and fit.")
    key_format: str = Field(default="", description="Whose spelling of the names it is: kohya, diffusers, …")
    algorithm: str = Field(default="LoRA", description="LoRA, LoKr, LoHa, …")
    rank: int | None = None
    width: int | None = Field(default=None, description="Input features of most layers.")
    known: int = Field(default=0, description="Tensors that the first of the families knows.")
    keys: int = 0
    has_text_encoder: bool = False
    metadata: dict[str, str] = Field(default_factory=dict)
