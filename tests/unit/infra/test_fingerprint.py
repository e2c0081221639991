"""Look-alikes: copies are told from other pictures."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from isengard.infra.fingerprint import distance, fingerprint, near

ROOT = Path(__file__).parents[3]
PICTURES = sorted([*(ROOT / "isengard/sample").glob("*.jpg"), *(ROOT / "tests/photos").glob("*.jpg")])


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def poor(image: Image.Image) -> Image.Image:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=20)
    return Image.open(io.BytesIO(sink.getvalue()))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "poor quality": poor,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


@pytest.mark.parametrize("change", COPIES)
def test_copies_look_the_same(change: str) -> None:
    for path in PICTURES:
        image = opened(path)
        assert near(fingerprint(image), fingerprint(COPIES[change](image))), path.name


def test_other_pictures_do_not() -> None:
    prints = [fingerprint(opened(path)) for path in PICTURES]
    closest = min(distance(one, other) for one, other in itertools.combinations(prints, 2))
    assert closest >= 20


def test_a_picture_without_a_fingerprint_is_like_no_other() -> None:
    assert not near("", "")
    assert not near("", "0" * 32)
    assert near("0" * 32, "0" * 32)
