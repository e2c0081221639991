"""Reads ``sota/presets/{family}.yml``: how a base model is trained at three lengths, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import TrainingConfig
from isengard.errors import BackendUnavailable

PRESETS: tuple[str, ...] = get_args(TrainingConfig.model_fields["preset"].annotation)
Preset = Mapping[str, Any]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class PresetOrigin:
    """Who says that a preset is good, how sure that is, and how its steps follow from the number of pictures."""

    source: str
    confidence: Confidence
    steps: int  # where nobody says how many pictures there are
    steps_per_image: int | None = None
    min_steps: int | None = None
    max_steps: int | None = None


def read_presets(project_root: Path, base: BaseModelRow) -> dict[str, Preset]:
    """Return a base model's presets by name: those of its family, with what is its own; raise BackendUnavailable."""
    path = project_root / "sota" / "presets" / f"{base.family}.yml"
    if not path.exists():
        raise BackendUnavailable(f"There are no training presets for {base.name}.", f"Add {path.name}.")
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    own = loaded.pop("models", {}).get(base.id, {})
    return {name: {**preset, **own.get("every", {}), **own.get(name, {})} for name, preset in loaded.items()}


def steps_of(preset: Preset, images: int | None) -> int:
    """Return the steps for so many pictures, between the preset's limits."""
    if images is None or "steps_per_image" not in preset:
        return int(preset["steps"])
    return int(min(max(images * preset["steps_per_image"], preset["min_steps"]), preset["max_steps"]))


def origins(presets: Mapping[str, Preset]) -> dict[str, PresetOrigin]:
    """Return where each preset comes from."""
    return {name: _origin(preset) for name, preset in presets.items()}


def _origin(preset: Preset) -> PresetOrigin:
    limits = {name: preset.get(name) for name in ("steps_per_image", "min_steps", "max_steps")}
    return PresetOrigin(preset["source"], preset["confidence"], preset["steps"], **limits)
