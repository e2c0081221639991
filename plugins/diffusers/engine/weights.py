"""Writes the trained LoRA and proves it before anybody calls it done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from isengard.errors import BackendOutput, InvalidInput

NAME = "weights.safetensors"
HALVES = {".lora_A.weight": ".lora_down.weight", ".lora_B.weight": ".lora_up.weight"}  # PEFT's: kohya's
ALPHA = ".alpha"
PREFIX = "lora_unet_"


def lora_tensors(unet: Any) -> dict[str, torch.Tensor]:
    """Return what was trained under kohya's names, the one spelling that kohya's tools, diffusers and ComfyUI all read.

    Where a UNet's adapter is saved in diffusers' own names, ComfyUI leaves its attention out with a warning only.
    """
    found: dict[str, torch.Tensor] = {}
    for name, tensor in get_peft_model_state_dict(unet).items():
        end = next(end for end in HALVES if name.endswith(end))
        module = PREFIX + name.removesuffix(end).replace(".", "_")
        found[module + HALVES[end]] = tensor.detach().cpu().contiguous()
        found[module + ALPHA] = torch.tensor(float(unet.peft_config["default"].lora_alpha))
    return found


def save_lora(unet: Any, path: Path, metadata: dict[str, str]) -> None:
    """Write what was trained, with its metadata."""
    save_file(lora_tensors(unet), path, {**metadata, "format": "pt"})
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def load_lora(path: Path, unet: Any) -> None:
    """Give the adapter the weights of a file, in kohya's names or in diffusers'; raise InvalidInput unless all fit."""
    tensors = load_file(path)
    values = {}
    for name, present in get_peft_model_state_dict(unet).items():
        end = next(end for end in HALVES if name.endswith(end))
        flat = PREFIX + name.removesuffix(end).replace(".", "_")
        value = tensors.pop(flat + HALVES[end], tensors.pop(f"unet.{name}", None))
        tensors.pop(flat + ALPHA, None)
        if value is None or value.shape != present.shape:
            raise InvalidInput(
                f"The LoRA to go on from does not fit at {name}.", "Start from another, or from nothing."
            )
        values[name] = value
    if tensors:
        raise InvalidInput(
            f"The LoRA to go on from has {len(tensors)} parts more than are trained here.", "Start from nothing."
        )
    set_peft_model_state_dict(unet, values)


def prove(path: Path, unet: Any, rank: int) -> None:
    """Raise BackendOutput unless the file holds what was trained: rank, pairs, finite, not all zero, same values."""
    expected, tensors = lora_tensors(unet), load_file(path)
    if tensors.keys() != expected.keys():
        raise _wrong("its keys are not those that were trained")
    for name, tensor in tensors.items():
        if not torch.equal(tensor, expected[name]):
            raise _wrong(f"{name} differs from what was trained")
        if not torch.isfinite(tensor).all():
            raise BackendOutput("The training diverged: the weights are not numbers.", "Lower the learning rate.")
        if name.endswith("lora_down.weight") and tensor.shape[0] != rank:
            raise _wrong(f"{name} has rank {tensor.shape[0]}, not {rank}")
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_up" in name):
        raise _wrong("all of its weights are zero: nothing was learnt")


def _wrong(why: str) -> BackendOutput:
    return BackendOutput(
        f"The trained file is not usable: {why}.", "Retry the training; report it if it happens again."
    )
