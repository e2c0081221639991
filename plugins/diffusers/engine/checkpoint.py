"""Checkpoints from which a run goes on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file


def save(work: Path, step: int, unet: Any, optimizer: torch.optim.Optimizer, rng: random.Random) -> Path:
    """Write weights, optimizer and random states; the folder appears under its name only when it is whole."""
    target = work / "checkpoints" / f"step-{step:06d}"
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(get_peft_model_state_dict(unet), partial / "adapter.safetensors")
    torch.save({"optimizer": optimizer.state_dict(), "torch_rng": torch.get_rng_state()}, partial / "optimizer.pt")
    (partial / "state.json").write_text(json.dumps({"step": step, "rng": rng.getstate()}), encoding="utf-8")
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(partial.iterdir())}
    (partial / "manifest.json").write_text(json.dumps(digests), encoding="utf-8")
    for path in partial.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target


def restore(checkpoint: Path, unet: Any, optimizer: torch.optim.Optimizer, rng: random.Random) -> int:
    """Load a checkpoint; return its step."""
    set_peft_model_state_dict(unet, load_file(checkpoint / "adapter.safetensors"))
    saved = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["torch_rng"])
    state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    version, internal, gauss = state["rng"]
    rng.setstate((version, tuple(internal), gauss))
    return int(state["step"])
