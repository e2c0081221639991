"""Where a base model's weights lie, and what their headers say; loads no tensor."""

from __future__ import annotations

from pathlib import Path

from isengard.domain.base_model import BaseModelRow
from isengard.plugins.protocols import PluginContext
from isengard.plugins.weights import read_weights

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


def unet_shapes(folder: Path) -> Shapes:
    """Shapes of the UNet's weights by name."""
    return _shapes(folder / "unet")


def text_encoder_shapes(folder: Path) -> tuple[Shapes, Shapes]:
    """Shapes of the weights of the first and, where there is one, the second text encoder."""
    return _shapes(folder / "text_encoder"), _shapes(folder / "text_encoder_2")


def _shapes(folder: Path) -> Shapes:
    shapes: Shapes = {}
    for path in folder.glob("*.safetensors"):
        shapes |= read_weights(path, f"The base model's file '{path.name}'").shapes
    return shapes
