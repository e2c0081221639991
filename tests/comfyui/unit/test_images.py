"""What the backend says it can do, before any server runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isengard.domain.base_model import BaseModelRow
from isengard.domain.request import GenerationRequest
from isengard.errors import InvalidInput, NotFound
from isengard.infra.sota import read_registry
from isengard.plugins.protocols import PluginContext
from plugins.comfyui.images import ComfyImages

ROOT = Path(__file__).resolve().parents[3]
MINE = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "PROMPT_INJECT"}},
    "isengard": {"families": ["sdxl"]},
}


@pytest.fixture
def images(tmp_path: Path) -> ComfyImages:
    volume = tmp_path / "volume"
    (volume / "comfyui" / "workflows").mkdir(parents=True)
    return ComfyImages(
        PluginContext(
            ROOT,
            volume / "cache",
            volume / "comfyui" / "models",
            600,
            lambda *_args, **_fields: None,
            loras_dir=volume / "loras",
        )
    )


@pytest.fixture
def rows() -> dict[str, BaseModelRow]:
    return {row.id: row for row in read_registry(ROOT / "sota" / "registry.yml")}


def put(images: ComfyImages, row: BaseModelRow) -> None:
    """Let the base model's files be there; nothing looks into them here."""
    for name in row.comfyui.values():
        path = images._context.models_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_model_is_supported_once_all_its_files_are_here(images: ComfyImages, rows: dict[str, BaseModelRow]) -> None:
    flux = rows["flux-dev"]
    assert not images.supports(flux)
    put(images, flux)
    assert images.supports(flux)
    (images._context.models_dir / flux.comfyui["VAE"]).unlink()
    assert not images.supports(flux)
    assert not images.supports(rows["pocket"])


def test_every_base_model_with_files_has_a_workflow_for_all_tasks(
    images: ComfyImages, rows: dict[str, BaseModelRow]
) -> None:
    for row in rows.values():
        put(images, row)
    able = {row.id: set(images.abilities(row).tasks) for row in rows.values() if images.supports(row)}
    assert {"sd15", "sdxl", "flux-dev", "flux-schnell", "z-image-turbo", "qwen-image", "flux2-klein-4b"} <= able.keys()
    assert all(tasks == {"txt2img", "img2img", "upscale"} for tasks in able.values())


def test_defaults_come_from_the_workflow_and_a_row_may_differ(
    images: ComfyImages, rows: dict[str, BaseModelRow]
) -> None:
    request = GenerationRequest(prompt="a cat")
    base, distilled = (images.defaults(request, rows[name]) for name in ("flux2-klein-base-4b", "flux2-klein-4b"))
    assert (base.steps, distilled.steps, distilled.guidance_scale) == (20, 4, 1.0)
    assert (base.denoise, base.upscale_by) == (None, None)
    larger = images.defaults(GenerationRequest(prompt="a cat", init_image="gen-1.0", upscale_by=2.0), rows["sdxl"])
    assert 0 < (larger.denoise or 0) < 1


def test_a_workflow_file_that_cannot_be_used_is_told_with_its_reason(images: ComfyImages) -> None:
    assert images.status().notes == ()
    folder = images._place.user_workflows
    (folder / "mine.json").write_text(json.dumps(MINE))
    [note] = images.status().notes
    assert "mine.json" in note
    assert "picture out" in note


def test_a_workflow_that_is_not_there_is_refused(images: ComfyImages, rows: dict[str, BaseModelRow]) -> None:
    with pytest.raises(NotFound):
        images.abilities(rows["sdxl"], "nothing")
    (images._place.user_workflows / "mine.json").write_text(json.dumps(MINE))
    with pytest.raises(InvalidInput):
        images.abilities(rows["sdxl"], "mine")
