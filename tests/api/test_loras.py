"""LoRA versions over REST: what a file is, taking it in, changing, deleting, restoring, taking it out."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import save

from plugins.diffusers.models import unet_shapes
from tests.comfyui.unit.test_lora_keys import TAKEN, written

POCKET = Path(__file__).resolve().parents[2] / "plugins" / "diffusers" / "pocket"


def pocket_lora() -> bytes:
    shapes = unet_shapes(POCKET)
    name = next(name for name in sorted(shapes) if name.endswith("to_q.weight"))
    rows, columns = shapes[name]
    stem = f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}"
    halves = {"lora_down": np.ones((4, columns)), "lora_up": np.zeros((rows, 4))}
    tensors = {f"{stem}.{half}.weight": value.astype(np.float32) for half, value in halves.items()}
    return save(tensors, {"modelspec.trigger_phrase": "zvka"})


@pytest.fixture
def imported(http: httpx.Client) -> dict[str, Any]:
    answer = http.post("/api/loras", files={"file": ("mine.safetensors", pocket_lora())}, data={"trigger_word": "zvka"})
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()
    return made


def test_a_file_without_a_base_model_gets_the_one_that_it_was_made_for(imported: dict[str, Any]) -> None:
    assert (imported["base_model"], imported["rank"], imported["character_id"]) == ("pocket", 4, "imported")
    assert "likeness" in imported


def test_the_header_alone_is_enough_to_say_what_a_file_is(http: httpx.Client, tmp_path: Path) -> None:
    whole = written(tmp_path / "a.safetensors", TAKEN["sdxl-text"][2]).read_bytes()
    header = whole[: 8 + int.from_bytes(whole[:8], "little")]
    answer = http.post("/api/loras/inspect", files={"file": header}, data={"size": len(whole)}).json()
    assert answer["base_models"] == ["sdxl"]
    assert answer["certain"]
    assert answer["facts"]["has_text_encoder"]
    cut = http.post("/api/loras/inspect", files={"file": header}, data={"size": len(whole) - 1})
    assert cut.status_code == 422
    assert "cut off" in cut.json()["detail"]


@pytest.mark.parametrize("route", ["/api/loras", "/api/loras/inspect"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"weight": [1.0] * 50}), "a pickle"),
        (b"PK\x03\x04" + bytes(200), "can run programs"),
        (b"", "empty"),
        (b"\xff" * 64, "does not begin with a header"),
    ],
)
def test_anything_but_a_safetensors_file_is_refused_with_the_reason(
    http: httpx.Client, route: str, content: bytes, words: str
) -> None:
    before = http.get("/api/loras").json()["total"]
    answer = http.post(route, files={"file": ("a.safetensors", content)}, data={"base_model": "pocket"})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert answer.json()["hint"]
    assert http.get("/api/loras").json()["total"] == before


def test_a_size_that_no_lora_has_is_refused(http: httpx.Client) -> None:
    answer = http.post("/api/loras/inspect", files={"file": pocket_lora()}, data={"size": 2**50})
    assert answer.status_code == 422


def test_name_and_note_can_be_changed(http: httpx.Client, imported: dict[str, Any]) -> None:
    where = f"/api/loras/{imported['id']}"
    changed = http.patch(where, json={"name": "Soft light", "note": "for portraits"}).json()
    assert (changed["name"], changed["note"], changed["trigger_word"]) == ("Soft light", "for portraits", "zvka")
    assert http.get(where).json()["name"] == "Soft light"
    assert http.get(f"{where}/file").headers["content-disposition"].endswith('filename="Soft-light.safetensors"')
    assert http.patch(where, json={"name": "x" * 81}).status_code == 422


def test_a_deleted_version_can_be_restored_or_deleted_for_good(http: httpx.Client, imported: dict[str, Any]) -> None:
    where = f"/api/loras/{imported['id']}"
    assert http.delete(where).status_code == 204
    assert http.get(where).status_code == 404
    assert http.get(f"{where}/file").status_code == 404
    (deleted,) = [one for one in http.get("/api/loras/trash").json()["items"] if one["id"] == imported["id"]]
    assert deleted["deleted_at"]
    assert http.post(f"/api/loras/trash/{imported['id']}/restore").json()["version"] == imported["version"]
    assert http.get(where).json()["sha256"] == imported["sha256"]
    assert http.post(f"/api/loras/trash/{imported['id']}/restore").status_code == 404
    http.delete(where)
    assert http.delete(f"/api/loras/trash/{imported['id']}").status_code == 204
    assert http.delete(f"/api/loras/trash/{imported['id']}").status_code == 404


def test_the_archive_opens_and_holds_the_same_file(http: httpx.Client, imported: dict[str, Any]) -> None:
    answer = http.get(f"/api/loras/{imported['id']}/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        (weights,) = [name for name in archive.namelist() if name.endswith(".safetensors")]
        assert archive.read(weights) == pocket_lora()
    assert http.get("/api/loras/lora-none/export").status_code == 404
    assert http.get(f"/api/loras/{imported['id']}/samples").json() == {"items": []}
    assert http.get(f"/api/loras/{imported['id']}/samples/v1.json").status_code == 404
