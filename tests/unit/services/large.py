"""A machine with a GPU of some size, AI-Toolkit and a large base model, as far as estimates need them.

The model's files have their true sizes and no content: sparse files take no room.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.infra.gpu import Gpu
from isengard.plugins.protocols import PluginContext
from isengard.runtime import Runtime
from isengard.services.house import Isengard
from plugins.aitoolkit.training import AiToolkitTraining

GB = 2**30
FLUX = {  # GB of FLUX.1-dev in diffusers format
    "transformer/diffusion_pytorch_model.safetensors": 22.2,
    "text_encoder/model.safetensors": 0.25,
    "text_encoder_2/model.safetensors": 9.1,
    "vae/diffusion_pytorch_model.safetensors": 0.16,
}
SDXL = {
    "unet/diffusion_pytorch_model.safetensors": 4.8,
    "text_encoder/model.safetensors": 0.23,
    "text_encoder_2/model.safetensors": 1.3,
    "vae/diffusion_pytorch_model.safetensors": 0.16,
}


def lay_model(folder: Path, sizes: dict[str, float]) -> None:
    """Lay files of these sizes, in GB, into a model's folder."""
    for name, size in {**sizes, "model_index.json": 0}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(int(size * GB))


def aitoolkit(project_root: Path, models: Path, folder: Path) -> AiToolkitTraining:
    """Return the backend on a checkout of which only what is looked at is there."""
    for name in ("run.py", "python", "toolkit/config_modules.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kwargs.get('steps')")
    options = {"aitoolkit_dir": str(folder), "aitoolkit_python": str(folder / "python")}
    return AiToolkitTraining(
        PluginContext(project_root, models, models, 600, lambda _event, **_fields: None, options=options)
    )


def put_gpu(house: Isengard, monkeypatch: pytest.MonkeyPatch, vram_gb: float, ram_gb: float = 64) -> None:
    """Let the house find a GPU."""
    arbiter = house.preflight.arbiter
    monkeypatch.setattr(arbiter, "gpu", Gpu("NVIDIA Test", vram_gb))
    monkeypatch.setattr(arbiter, "vram_gb", vram_gb)
    monkeypatch.setattr(arbiter, "ram_gb", ram_gb)


def put_model(house: Isengard, runtime: Runtime, model_id: str, sizes: dict[str, float], folder: Path) -> None:
    """Let the house have AI-Toolkit, before its own backends, and one large model."""
    lay_model(runtime.storage.models / model_id, sizes)
    root = Path(__file__).resolve().parents[3]
    house.training.plugins.training.insert(0, aitoolkit(root, runtime.storage.models, folder))
