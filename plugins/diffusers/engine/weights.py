"""Writes the trained LoRA and proves it before anybody calls it done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from peft import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import save_file

from isengard.errors import BackendOutput

NAME = "pytorch_lora_weights.safetensors"


def save_lora(pipe: Any, folder: Path, metadata: dict[str, str]) -> Path:
    """Write the adapter in diffusers' LoRA keys with its rank, alpha and our metadata; return the file.

    get_peft_model_state_dict goes to the writer as it is: diffusers' own conversion mixes two key styles, and
    loading then drops the attention tensors with a warning only.
    """
    adapter = pipe.unet.peft_config["default"].to_dict()
    StableDiffusionPipeline.save_lora_weights(
        str(folder),
        unet_lora_layers=get_peft_model_state_dict(pipe.unet),
        unet_lora_adapter_metadata=json.loads(json.dumps(adapter, default=_plain)),
    )
    path = folder / NAME
    with safe_open(str(path), "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        written = dict(file.metadata() or {})
    save_file(tensors, path, {**written, **metadata, "format": "pt"})
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return path


def prove(path: Path, unet: Any, rank: int) -> None:
    """Raise BackendOutput unless the file holds what was trained: rank, pairs, finite, not all zero, same values."""
    expected = {f"unet.{name}": tensor for name, tensor in get_peft_model_state_dict(unet).items()}
    with safe_open(str(path), "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if tensors.keys() != expected.keys():
        raise _wrong("its keys are not those that were trained")
    for name, tensor in tensors.items():
        if not torch.equal(tensor, expected[name].cpu()):
            raise _wrong(f"{name} differs from what was trained")
        if not torch.isfinite(tensor).all():
            raise BackendOutput("The training diverged: the weights are not numbers.", "Lower the learning rate.")
        if name.endswith("lora_A.weight") and tensor.shape[0] != rank:
            raise _wrong(f"{name} has rank {tensor.shape[0]}, not {rank}")
    if not any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name):
        raise _wrong("all of its weights are zero: nothing was learnt")


def _wrong(why: str) -> BackendOutput:
    return BackendOutput(
        f"The trained file is not usable: {why}.", "Retry the training; report it if it happens again."
    )


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(value)
