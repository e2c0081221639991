"""The registry of models, and the settings inside a picture."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from isengard.domain.lora import Lora
from isengard.domain.request import GenerationRequest, LoraUse
from isengard.errors import InvalidInput, NotFound
from isengard.infra.png import embed, parameters_text
from isengard.infra.sota import Registry, read_registry

ROW = "- {id: tiny, name: Tiny, source: here, license: MIT, version: '1', purpose: tests, path: tiny}"


def registry(tmp_path: Path, text: str) -> Registry:
    path = tmp_path / "registry.yml"
    path.write_text(text, encoding="utf-8")
    return Registry(path, tmp_path, tmp_path / "models")


def test_our_own_registry_is_read(project_root: Path) -> None:
    rows = read_registry(project_root / "sota" / "registry.yml")
    assert "pocket" in {row.id for row in rows}
    assert len({row.id for row in rows}) == len(rows)


def test_an_unknown_model_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'huge'") as told:
        registry(tmp_path, f"models:\n{ROW}").get("huge")
    assert "tiny" in told.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [("models: [", "not valid YAML"), ("models:\n- {id: x}", "Row x"), (f"models:\n{ROW[:-1]}, typo: 1}}", "typo")],
)
def test_a_wrong_registry_names_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        registry(tmp_path, text)


def test_weights_are_hashed_in_name_order_and_again_when_they_change(tmp_path: Path) -> None:
    found = registry(tmp_path, f"models:\n{ROW}")
    row = found.get("tiny")
    assert found.weights_sha256(row) == ""
    for name, content in (("b", b"2"), ("a", b"1")):
        (tmp_path / "tiny" / name).mkdir(parents=True)
        (tmp_path / "tiny" / name / "model.safetensors").write_bytes(content)
    assert found.weights_sha256(row) == hashlib.sha256(b"12").hexdigest()
    (tmp_path / "tiny" / "c.safetensors").write_bytes(b"3")
    assert found.weights_sha256(row) == hashlib.sha256(b"123").hexdigest()


def test_a_picture_carries_its_settings_for_others_and_for_us(tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    Image.new("RGB", (64, 64), "teal").save(source)
    used = Lora(id="lora-1", character_id="c", character_name="Zoë", version="v2", base_model="tiny", sha256="ab" * 32)
    request = GenerationRequest(
        prompt="zvka smiling", negative_prompt="blurry", loras=(LoraUse(id="lora-1", strength=0.8),), base_model="tiny"
    )
    text = parameters_text(request, 7, (64, 64), [used])
    embed(source, target, text, {"settings": request.model_dump(mode="json")})
    with Image.open(target) as made:
        assert made.info["parameters"] == text
        assert GenerationRequest.model_validate(json.loads(made.info["isengard"])["settings"]) == request
        assert made.getpixel((5, 5)) == (0, 128, 128)
    assert text.splitlines() == [
        "zvka smiling <lora:Zoë-v2:0.8>",
        "Negative prompt: blurry",
        'Seed: 7, Size: 64x64, Model: tiny, Lora hashes: "Zoë-v2: abababababab"',
    ]
