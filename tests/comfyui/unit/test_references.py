"""Drawing a person from pictures: a workflow of one's own takes references, and the Image tab does not offer it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfy_double.studio import TINY, Studio
from PIL import Image

from isengard.plugins.protocols import WorkflowChoice

pytestmark = pytest.mark.usefixtures("impatient")


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


@pytest.fixture
def workflow(studio: Studio) -> Path:
    """What a person exports and marks: two references, blended by the sampler."""
    nodes = {
        "1": node("CheckpointLoaderSimple", ckpt_name="CHECKPOINT_INJECT"),
        "2": node("CLIPTextEncode", clip=["1", 1], text="PROMPT_INJECT"),
        "3": node("LoadImage", image="IMAGE_INJECT"),
        "4": node("LoadImage", image="IMAGE_2_INJECT"),
        "5": node("ImageBatch", image1=["3", 0], image2=["4", 0]),
        "6": node("VAEEncode", pixels=["5", 0], vae=["1", 2]),
        "7": node(
            "KSampler",
            model=["1", 0],
            positive=["2", 0],
            negative=["2", 0],
            latent_image=["6", 0],
            seed="SEED_INJECT",
            steps=2,
            cfg=1.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "8": node("VAEDecode", samples=["7", 0], vae=["1", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="mine"),
        "isengard": {"title": "My adapter", "task": "face_adapter", "families": [TINY.family]},
    }
    path = studio.root / "comfyui" / "workflows" / "my-adapter.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(nodes))
    return path


def test_it_is_offered_for_references_and_nowhere_else(studio: Studio, workflow: Path) -> None:
    able = studio.backend.abilities(TINY)
    assert list(able.by_reference) == [WorkflowChoice("my-adapter", "My adapter", "face_adapter")]
    assert "my-adapter" not in [one.id for one in able.workflows]
    assert "face_adapter" not in able.tasks


def test_references_are_sent_and_drawn_with(studio: Studio, workflow: Path, tmp_path: Path) -> None:
    references = [tmp_path / "one.png", tmp_path / "two.png"]
    for path, colour in zip(references, ("red", "teal"), strict=True):
        Image.new("RGB", (64, 64), colour).save(path)
    both = studio.finish(replace(studio.run(workflow="my-adapter", seed=3), references=references))
    assert len(both) >= 1
    sent = {Path(path).name for path in (studio.root / "comfyui").rglob("isengard-*.png")}
    assert len(sent) == 2
