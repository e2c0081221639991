"""The sample character and the held-out drawings: what ships is what the app takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isengard.plugins.protocols import PluginContext
from isengard.services.trigger_word import checked_trigger
from plugins.faces import backends

TESTS = Path(__file__).resolve().parents[2]
SAMPLE = TESTS.parent / "isengard" / "sample"
PICTURES = sorted(SAMPLE.glob("*.jpg"))


def test_the_sample_is_whole_and_small() -> None:
    given = json.loads((SAMPLE / "character.json").read_text(encoding="utf-8"))
    assert checked_trigger(given["trigger_word"]) == given["trigger_word"]
    assert len(PICTURES) == 12
    for picture in PICTURES:
        assert picture.with_suffix(".txt").read_text(encoding="utf-8").startswith(f"a photo of {given['trigger_word']}")
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 1_000_000


def test_each_picture_shows_exactly_one_face(tmp_path: Path) -> None:
    faces = backends(PluginContext(tmp_path, tmp_path, tmp_path, 1.0, lambda *_args, **_fields: None))[0]
    if not faces.status().available:
        pytest.skip(faces.status().reason)
    for picture in [*PICTURES, *sorted((TESTS / "drawings" / "heldout").glob("*.jpg"))]:
        assert len(faces.faces(picture)) == 1, picture.name
