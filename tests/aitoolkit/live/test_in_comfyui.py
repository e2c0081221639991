"""What the real AI-Toolkit trained is loaded whole by a real ComfyUI: no key is left over."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aitoolkit import fitting, tiny
from tests.aitoolkit.bench import row_of
from tests.aitoolkit.live.conftest import Real
from tests.comfyui.live.conftest import Real as Comfy
from tests.comfyui.live.conftest import apart, source
from tests.comfyui.live.conftest import real as comfy

__all__ = ["comfy", "source"]  # fixtures
pytestmark = pytest.mark.aitoolkit
BASES = {"sd15": "sd15", "sdxl": "sdxl", "flux": "flux-dev"}


@pytest.fixture
def trained(real: Real, comfy: Comfy, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A LoRA of a family, trained on a base model of the shapes that ComfyUI's small one has; its name there."""
    family = request.param
    row = row_of(family, f"fitting-{family}")
    (real.models / row.id).unlink(missing_ok=True)
    real.models.mkdir(parents=True, exist_ok=True)
    (real.models / row.id).symlink_to(fitting.make(family, tiny.CACHE))
    _, file = real.train(real.run(tmp_path, base=row, steps=3, save_every=50, sample_every=50, learning_rate=0.01))
    name = f"aitoolkit-{uuid.uuid4().hex}.safetensors"
    shutil.copyfile(file, comfy.loras / name)
    yield name
    (comfy.loras / name).unlink()


@pytest.mark.parametrize(("trained", "base"), BASES.items(), indirect=["trained"])
def test_comfyui_draws_with_all_of_it(comfy: Comfy, trained: str, base: str) -> None:
    comfy.said.clear()
    assert apart(comfy.draw(base, [(trained, 1.0)]), comfy.plain(base)) > 0
    assert comfy.complaints() == []


@pytest.mark.parametrize("trained", ["z-image"], indirect=True)
def test_comfyui_patches_z_image_with_all_of_it(comfy: Comfy, trained: str) -> None:
    """Its text encoder is too large for a test, so the patched weights are saved in place of a picture."""
    client = comfy.session.client
    model = Path(comfy.images._context.models_dir) / "diffusion_models" / "fitting-z-image.safetensors"
    fitting.z_image_file(model)
    graph = {
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": model.name, "weight_dtype": "default"}},
        "2": {
            "class_type": "LoraLoaderModelOnly",
            "inputs": {"model": ["1", 0], "lora_name": trained, "strength_model": 1.0},
        },
        "3": {"class_type": "ModelSave", "inputs": {"model": ["2", 0], "filename_prefix": "patched"}},
    }
    comfy.said.clear()
    prompt = str(uuid.uuid4())
    assert client._send("POST", "/prompt", json={"prompt": graph, "prompt_id": prompt}).status_code == 200
    deadline = time.monotonic() + 300
    while not (told := client._send("GET", f"/history/{prompt}").json()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert told[prompt]["status"]["status_str"] == "success", told
    assert comfy.complaints() == []
