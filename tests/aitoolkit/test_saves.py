"""Checkpoints copied out while AI-Toolkit goes on writing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from plugins.aitoolkit.saves import OPTIMIZER, WEIGHTS, Saves


def save(out: Path, step: int) -> None:
    """Write weights and then the optimizer's state, as AI-Toolkit does."""
    out.mkdir(exist_ok=True)
    tensors = {"lora_unet_a.lora_up.weight": np.ones((2, 2), np.float32)}
    save_file(tensors, out / f"lora_{step:09d}.safetensors", {"training_info": json.dumps({"step": step})})
    with zipfile.ZipFile(out / OPTIMIZER, "w") as file:
        file.writestr("step", str(step))


def test_weights_and_the_optimizer_of_their_step_are_kept(tmp_path: Path) -> None:
    save(tmp_path / "out", 4)
    saves = Saves(tmp_path / "out", tmp_path / "kept", lambda: False)
    ((step, folder),) = saves.look()
    assert step == 4
    assert {path.name for path in folder.iterdir()} >= {WEIGHTS, OPTIMIZER}


def test_an_optimizer_that_may_be_of_the_next_step_is_left_out(tmp_path: Path) -> None:
    def goes_on() -> bool:
        save(tmp_path / "out", 8)  # from the first word to the last while the checkpoint before is copied
        return False

    save(tmp_path / "out", 4)
    ((step, folder),) = Saves(tmp_path / "out", tmp_path / "kept", goes_on).look()
    assert step == 4
    assert (folder / WEIGHTS).exists()
    assert not (folder / OPTIMIZER).exists()
