"""A row of ``sota/registry.yml``: a model, its licence and what it needs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from isengard.domain.base import Value


class Compatibility(Value):
    """What a model needs and can do."""

    min_vram_gb: float = 0
    min_ram_gb: float = 0
    supported_training: tuple[str, ...] = ()
    notes: str = ""


class BaseModelRow(Value):
    """One registry row; ``path`` is set for models that ship with the project."""

    id: str
    name: str
    kind: Literal["base_model", "face_model"] = "base_model"
    source: str
    license: str
    license_url: str = ""
    commercial_use: bool = False
    version: str
    sha256: str = Field(default="unverified", description="64 hex digits, or 'unverified'.")
    purpose: str
    fast_test_alternative: str | None = None
    family: str = Field(default="", description="Architecture family that a LoRA must match, such as 'sdxl'.")
    path: str | None = Field(default=None, description="Folder inside the project, for embedded models.")
    resolution: int = Field(default=1024, description="Native edge in pixels.")
    gated: bool = False
    size_gb: float = 0
    compatibility: Compatibility = Compatibility()
