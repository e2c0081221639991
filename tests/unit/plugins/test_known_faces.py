"""Faces are looked for once: by content, by model, on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from isengard.errors import IsengardError, NotFound
from isengard.infra.storage import Storage
from isengard.plugins.known_faces import KnownFaces
from isengard.plugins.protocols import BackendStatus, Face, PluginContext
from plugins.faces.yunet_sface import YunetSface

PHOTOS = Path(__file__).parents[2] / "photos"


class Counting:
    """A face analyser that remembers what it was asked."""

    name = "counting"

    def __init__(self, model: str = "aa") -> None:
        self.model_sha256 = model
        self.asked: list[str] = []

    def status(self) -> BackendStatus:
        return BackendStatus(self.name, "face", available=True, version="1")

    def faces(self, image: Path) -> Sequence[Face]:
        self.asked.append(image.name)
        return [Face((1.0, 2.0, 3.0, 4.0), 0.9, (0.6, 0.8), ((1.5, 2.5),) * 5, 120.0)]

    def faces_of(self, images: Sequence[Path]) -> Iterator[Sequence[Face] | IsengardError]:
        return iter([self.faces(image) for image in images])

    def score(self, cosine: float) -> float:
        return cosine

    def drawn_score(self, cosine: float) -> float | None:
        raise NotImplementedError


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for n, path in enumerate(paths):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(path)
    return paths


def test_what_is_known_is_not_looked_at_again_even_by_another_process(storage: Storage, pictures: list[Path]) -> None:
    first, second = Counting(), Counting()
    once = KnownFaces(storage).of(first, pictures)
    again = KnownFaces(storage).of(second, pictures)
    assert again == once
    assert (first.asked, second.asked) == (["0.png", "1.png", "2.png"], [])


def test_the_same_content_under_another_name_is_known(storage: Storage, pictures: list[Path]) -> None:
    analyzer, known = Counting(), KnownFaces(storage)
    known.of(analyzer, pictures[:1])
    shutil.copy(pictures[0], pictures[0].with_name("copy.png"))
    known.of(analyzer, [pictures[0].with_name("copy.png")])
    assert analyzer.asked == ["0.png"]


def test_a_changed_picture_is_looked_at_again(storage: Storage, pictures: list[Path]) -> None:
    analyzer, known = Counting(), KnownFaces(storage)
    known.of(analyzer, pictures[:1])
    Image.new("RGB", (9, 9)).save(pictures[0])
    known.of(analyzer, pictures[:1])
    assert analyzer.asked == ["0.png", "0.png"]


def test_another_model_looks_for_itself(storage: Storage, pictures: list[Path]) -> None:
    known, other = KnownFaces(storage), Counting("bb")
    known.of(Counting("aa"), pictures)
    known.of(other, pictures)
    assert len(other.asked) == 3


def test_a_damaged_record_is_made_again(storage: Storage, pictures: list[Path]) -> None:
    known = KnownFaces(storage)
    known.of(Counting(), pictures)
    for record in (storage.cache / "faces").rglob("*.json"):
        record.write_text('{"faces": [{}]}')
    analyzer = Counting()
    assert len(KnownFaces(storage).of(analyzer, pictures)) == 3
    assert len(analyzer.asked) == 3


def test_a_picture_that_is_gone_is_an_answer(storage: Storage, tmp_path: Path) -> None:
    gone = tmp_path / "gone.png"
    assert isinstance(KnownFaces(storage).of(Counting(), [gone])[gone], NotFound)


def test_after_the_deadline_only_what_is_known_comes(storage: Storage, pictures: list[Path]) -> None:
    analyzer, known = Counting(), KnownFaces(storage)
    known.of(analyzer, pictures[:1])
    assert set(known.of(analyzer, pictures, deadline=time.monotonic() - 1)) == {pictures[0]}


def test_real_faces_survive_the_disk(storage: Storage, tmp_path: Path) -> None:
    analyzer = YunetSface(PluginContext(Path(), tmp_path, tmp_path, 600, lambda *_args, **_fields: None))
    photo = PHOTOS / "obama.jpg"
    assert KnownFaces(storage).of(analyzer, [photo])[photo] == analyzer.faces(photo)
    assert KnownFaces(storage).of(analyzer, [photo])[photo] == analyzer.faces(photo)
