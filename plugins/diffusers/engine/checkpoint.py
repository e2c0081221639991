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

from plugins.diffusers.engine.weights import NAME, load_lora, save_lora

Curve = list[tuple[int, float, float]]  # of each step its number, loss and learning rate


def save(work: Path, curve: Curve, unet: Any, optimizer: torch.optim.Optimizer, rng: random.Random) -> Path:
    """Write weights (a LoRA by itself), optimizer, random states; the folder appears under its name once whole.

    Its step is the curve's last. The curve is kept with it: a kill may have lost the word of its newest steps.
    """
    step = curve[-1][0]
    target = work / "checkpoints" / f"step-{step:06d}"
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_lora(unet, partial / NAME, {})
    torch.save({"optimizer": optimizer.state_dict(), "torch_rng": torch.get_rng_state()}, partial / "optimizer.pt")
    (partial / "state.json").write_text(json.dumps({"curve": curve, "rng": rng.getstate()}), encoding="utf-8")
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(partial.iterdir())}
    (partial / "manifest.json").write_text(json.dumps(digests), encoding="utf-8")
    for path in partial.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return target


def restore(checkpoint: Path, unet: Any, optimizer: torch.optim.Optimizer, rng: random.Random) -> tuple[int, Curve]:
    """Load a checkpoint; return its step, and the curve up to it."""
    load_lora(checkpoint / NAME, unet)
    saved = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["torch_rng"])
    state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    version, internal, gauss = state["rng"]
    rng.setstate((version, tuple(internal), gauss))
    curve = [(int(step), float(loss), float(rate)) for step, loss, rate in state["curve"]]
    return curve[-1][0], curve
