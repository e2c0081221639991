"""ArcFace nets: what they are fed, and what is said when they are not here. Their real files are not shipped."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from isengard.errors import BackendUnavailable
from isengard.plugins.protocols import PluginContext
from plugins.faces import arcface, backends
from plugins.faces.arcface import AuraFace, Buffalo
from tests.unit.plugins.onnx_file import averaging_net

PHOTOS = Path(__file__).parents[2] / "photos"
DOWNLOADED = (Buffalo, AuraFace)


def context(models: Path, **options: str) -> PluginContext:
    return PluginContext(Path(), models, models, 600, lambda *_args, **_fields: None, options=options)


@pytest.mark.parametrize("kind", DOWNLOADED)
def test_a_net_that_is_not_downloaded_says_how_to_get_it(tmp_path: Path, kind: type[arcface.ArcFace]) -> None:
    status = kind(context(tmp_path)).status()
    assert not status.available
    assert "is not downloaded" in status.reason
    assert f"scripts/download_models.py {kind.name}" in status.hint


@pytest.mark.parametrize("kind", DOWNLOADED)
def test_a_damaged_net_is_refused(tmp_path: Path, kind: type[arcface.ArcFace]) -> None:
    averaging_net(tmp_path / kind.file)
    analyzer = kind(context(tmp_path))
    assert analyzer.status().available  # a file is there; its digest is read at the first use
    with pytest.raises(BackendUnavailable, match="not the file that Isengard knows"):
        analyzer.faces(PHOTOS / "obama.jpg")


@pytest.mark.parametrize("kind", DOWNLOADED)
def test_faces_are_embedded_one_by_one_with_unit_length(
    tmp_path: Path, kind: type[arcface.ArcFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = averaging_net(tmp_path / kind.file)
    monkeypatch.setattr(kind, "model_sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    analyzer = kind(context(tmp_path))
    (face,) = analyzer.faces(PHOTOS / "obama.jpg")
    assert len(face.embedding) == 3
    assert sum(value * value for value in face.embedding) == pytest.approx(1)
    assert [found[0] for found in analyzer.faces_of([PHOTOS / "obama.jpg"] * 5)] == [face] * 5  # type: ignore[index]


@pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="ONNX Runtime is for GPU boxes; not installed here"
)
def test_onnx_runtime_is_fed_the_same(tmp_path: Path) -> None:
    embed, _device = arcface._with_onnxruntime(averaging_net(tmp_path / "net.onnx"))
    assert_rgb_from_minus_one_to_one(embed)


def test_opencv_is_fed_rgb_from_minus_one_to_one(tmp_path: Path) -> None:
    assert_rgb_from_minus_one_to_one(arcface._with_opencv(averaging_net(tmp_path / "net.onnx")))


def assert_rgb_from_minus_one_to_one(embed: arcface.Embed) -> None:
    bgr = np.zeros((112, 112, 3), np.uint8)
    bgr[...] = (255, 127, 0)
    (vector,) = embed([bgr])
    assert np.asarray(vector).ravel().tolist() == pytest.approx([-1, -0.5 / 127.5, 1], abs=1e-5)


def test_each_backend_calls_its_threshold_seven_tenths(tmp_path: Path) -> None:
    for backend in backends(context(tmp_path)):
        assert backend.score(backend.same_person) == pytest.approx(0.7)  # type: ignore[attr-defined]


def test_the_setting_names_order_and_switches_off(tmp_path: Path) -> None:
    averaging_net(tmp_path / Buffalo.file)
    first, second, off = backends(context(tmp_path, face_backends="auraface, yunet-sface"))
    assert (first.name, second.name, off.name) == ("auraface", "yunet-sface", "insightface-buffalo")
    assert not off.status().available
    assert "switched off" in off.status().reason
    with pytest.raises(BackendUnavailable, match="switched off"):
        off.faces(PHOTOS / "obama.jpg")


def test_a_licence_that_forbids_money_is_said(tmp_path: Path) -> None:
    status = Buffalo(context(tmp_path)).status()
    assert "non-commercial" in status.license
    assert any("Not for commercial use" in note for note in status.notes)
