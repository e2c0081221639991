"""What a base model's own files say of its weights: names and shapes, as ComfyUI will hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

from isengard.plugins.weights import Tensor, read_weights
from plugins.comfyui.families import Base, Family, Slot
from plugins.comfyui.lora_parts import Change

IN_CHECKPOINT = "model.diffusion_model."
WHOLE_NUMBERS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})  # others may be packed, several in one


def published_base(family: Family) -> Base:
    """Names of the weights of the published model; no shapes."""
    return Base(dict.fromkeys(family.published()))


def base_of(family: Family, files: Sequence[Path]) -> Base:
    """Read the weights out of the headers of a model's files; without a file that we know, as published.

    Raises InvalidInput where a file cannot be read.
    """
    for path in files:
        if path.suffix == ".safetensors":
            tensors = _diffusion_model(family, read_weights(path, f"The base model's file '{path.name}'").tensors)
            if tensors:
                shapes = {_held(name): _shape(tensor) for name, tensor in tensors.items()}
                width = shapes.get(family.width_of)
                return Base(shapes, width[0] if width else None)
    return published_base(family)


def _diffusion_model(family: Family, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    if IN_CHECKPOINT + family.mark in tensors:
        cut = len(IN_CHECKPOINT)
        return {name[cut:]: tensor for name, tensor in tensors.items() if name.startswith(IN_CHECKPOINT)}
    return tensors if family.mark in tensors else {}


def _held(name: str) -> str:
    """Norms of FLUX files are called scale; ComfyUI holds them as weights."""
    return name.removesuffix("scale") + "weight" if name.endswith("_norm.scale") else name


def _shape(tensor: Tensor) -> tuple[int, ...] | None:
    return tensor.shape if tensor.dtype in WHOLE_NUMBERS else None


def room(base: Base, slot: Slot) -> Change | None:
    """Output features and input features times kernel of a slot; None where they are not known."""
    shape = slot.shape or base.tensors.get(slot.tensor)
    if not shape:
        return None
    if slot.rows:
        return Change(slot.rows[1] * base.width, prod(shape[1:])) if base.width else None
    return Change(shape[0], prod(shape[1:]))
