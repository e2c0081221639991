"""Where a base model's weights lie, and what their headers say; loads no tensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isengard.domain.base_model import BaseModelRow
from isengard.errors import InvalidInput
from isengard.plugins.protocols import PluginContext

GB = 2**30
Shapes = dict[str, tuple[int, ...]]


def model_folder(context: PluginContext, base: BaseModelRow) -> Path:
    """Folder of a diffusers-format model."""
    return context.project_root / base.path if base.path else context.models_dir / base.id


def has_unet(folder: Path) -> bool:
    """Tell whether it is a pipeline with a UNet whose weights are here."""
    return (folder / "model_index.json").exists() and any((folder / "unet").glob("*.safetensors"))


def model_gb(folder: Path) -> float:
    """Size of all weights on disk."""
    return sum(path.stat().st_size for path in folder.glob("**/*.safetensors")) / GB


def header(path: Path) -> dict[str, Any]:
    """Return the JSON header of a safetensors file; format: huggingface/safetensors README."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= 100_000_000:
                raise ValueError(f"header of {length} bytes")
            parsed: dict[str, Any] = json.loads(file.read(length))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            "This is not a readable .safetensors file.", "Download it again; other formats are not accepted."
        ) from error
    return parsed


def unet_shapes(folder: Path) -> Shapes:
    """Shapes of the UNet's weights by name."""
    shapes: Shapes = {}
    for path in (folder / "unet").glob("*.safetensors"):
        shapes |= {name: tuple(v["shape"]) for name, v in header(path).items() if name != "__metadata__"}
    return shapes


def check_lora_fits(lora: Path, base: Shapes, base_name: str) -> None:
    """Raise InvalidInput unless every pair of the LoRA matches a weight of the base model in name and shape."""
    tensors = {name: tuple(v["shape"]) for name, v in header(lora).items() if name != "__metadata__"}
    downs = {name: shape for name, shape in tensors.items() if name.endswith(".lora_A.weight")}
    if not downs or len(downs) * 2 != len(tensors):
        raise InvalidInput(
            "This file's keys are not those of a LoRA in diffusers format.", "Export it in diffusers (PEFT) format."
        )
    wrong = [name for name, shape in downs.items() if not _fits(name, shape, tensors, base)]
    if wrong:
        raise InvalidInput(
            f"This LoRA was made for another model: {len(wrong)} of {len(downs)} parts do not fit {base_name}.",
            "Choose the base model that the LoRA was trained on.",
        )


def _fits(name: str, shape: tuple[int, ...], tensors: Shapes, base: Shapes) -> bool:
    stem = name.removesuffix(".lora_A.weight")
    target = base.get(f"{stem.removeprefix('unet.')}.weight")
    up = tensors.get(f"{stem}.lora_B.weight")
    return bool(target and up) and target[1] == shape[1] and target[0] == up[0]  # type: ignore[index]
