"""What is measured of pictures without a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from isengard.infra.measures import aesthetic, face_crop, mirrored, sharpness

BOX = (150.0, 60.0, 100.0, 130.0)


@pytest.fixture(scope="module")
def photo(project_root: Path) -> Image.Image:
    return Image.open(project_root / "tests" / "photos" / "hopper.jpg").convert("RGB")


def test_a_blurred_face_is_less_sharp_and_a_sharp_photo_passes(photo: Image.Image) -> None:
    scores = [sharpness(photo.filter(ImageFilter.GaussianBlur(radius)), BOX) for radius in (0, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.3 > scores[-1]


def test_sharpness_is_of_the_face_and_not_of_what_is_around_it(photo: Image.Image) -> None:
    soft = photo.filter(ImageFilter.GaussianBlur(4))
    box = tuple(round(edge) for edge in (BOX[0], BOX[1], BOX[0] + BOX[2], BOX[1] + BOX[3]))
    mixed = soft.copy()
    mixed.paste(photo.crop(box), box[:2])
    assert sharpness(mixed, BOX) == sharpness(photo, BOX)


def test_a_small_face_is_not_called_blurred_for_being_small(photo: Image.Image) -> None:
    face = face_crop(photo, BOX)
    small = face.resize((64, 64), Image.Resampling.LANCZOS)
    assert sharpness(small, (0, 0, 64, 64)) > 0.3


def test_a_face_at_the_edge_is_cut_at_the_edge(photo: Image.Image) -> None:
    assert face_crop(photo, (-20, -20, 60, 60), 0.5).size == (70, 70)
    assert face_crop(photo, (photo.width - 1, photo.height - 1, 50, 50)).size == (1, 1)
    assert mirrored(mirrored(photo)).tobytes() == photo.tobytes()


def test_a_flat_picture_looks_poorer_than_a_photo(photo: Image.Image) -> None:
    grey = Image.new("RGB", (64, 64), "grey")
    assert aesthetic(grey) < 0.1 < aesthetic(photo) <= 1
