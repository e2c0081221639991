"""Light and backdrop of pictures, measured in small copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from isengard.infra.looks import alike, look_at


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def test_light_is_mean_luma_whatever_the_size(tmp_path: Path) -> None:
    for n, size in enumerate(((64, 64), (900, 400))):
        assert look_at(saved(tmp_path / f"{n}.png", Image.new("RGB", size, "white"))).light == pytest.approx(
            1, abs=0.01
        )
    assert look_at(saved(tmp_path / "green.png", Image.new("RGB", (90, 90), (0, 255, 0)))).light == pytest.approx(
        0.7152
    )
    assert look_at(saved(tmp_path / "grey.png", Image.new("L", (90, 90), 51))).light == pytest.approx(0.2, abs=0.01)


def test_the_side_that_light_comes_from_is_told(tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 400), "black")
    image.paste((200, 200, 200), (100, 100, 200, 300))
    path = saved(tmp_path / "lit.png", image)
    look = look_at(path, (0.25, 0.25, 0.5, 0.5))
    assert look.side == pytest.approx(1, abs=0.05)
    assert look.face_light == pytest.approx(0.39, abs=0.03)
    assert look_at(path).side is None


def test_backdrops_are_compared_without_the_person(tmp_path: Path) -> None:
    def before(name: str, wall: str, coat: str) -> Path:
        image = Image.new("RGB", (400, 400), wall)
        image.paste(Image.new("RGB", (240, 320), coat), (80, 80))
        return saved(tmp_path / name, image)

    one, same = before("1.png", "teal", "red"), before("2.png", "teal", "yellow")
    other = before("3.png", "maroon", "red")
    assert alike(look_at(one), look_at(same)) > 0.95
    assert alike(look_at(one), look_at(other)) < 0.05


def test_a_face_at_the_edge_is_no_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "edge.jpg", Image.new("RGB", (300, 300), "grey"))
    for box in ((-0.2, -0.1, 0.3, 0.3), (0.99, 0.99, 0.2, 0.2), (2.0, 2.0, 0.1, 0.1)):
        assert 0 <= look_at(path, box).light <= 1
