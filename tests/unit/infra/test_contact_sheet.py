"""A comparison grid as one picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from isengard.infra.contact_sheet import GAP, LABEL_HEIGHT, LABEL_WIDTH, MAX_CELL, Sheet, draw_sheet

RED, BLUE = (200, 20, 20), (20, 20, 200)


def picture(folder: Path, name: str, colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Path:
    path = folder / f"{name}.png"
    Image.new("RGB", size, colour).save(path)
    return path


def drawn(sheet: Sheet, folder: Path) -> Image.Image:
    draw_sheet(sheet, folder / "grid.jpg")
    with Image.open(folder / "grid.jpg") as made:
        assert made.format == "JPEG"
        return made.convert("RGB")


def near(found: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(found, tuple)
    return all(abs(a - b) < 24 for a, b in zip(found, wanted, strict=True))


def middle(column: int, row: int, left: int, cell: tuple[int, int]) -> tuple[int, int]:
    x = left + GAP + column * (cell[0] + GAP) + cell[0] // 2
    return x, LABEL_HEIGHT + row * (cell[1] + GAP) + cell[1] // 2


def test_pictures_stand_in_their_columns_and_rows(tmp_path: Path) -> None:
    cells = {(0, 0): picture(tmp_path, "a", RED), (1, 1): picture(tmp_path, "b", BLUE)}
    page = drawn(Sheet(("steps 4", "steps 8"), ("seed 1", "seed 2"), cells), tmp_path)
    assert page.size == (LABEL_WIDTH + 2 * (64 + GAP) + GAP, LABEL_HEIGHT + 2 * (48 + GAP) + GAP)
    assert near(page.getpixel(middle(0, 0, LABEL_WIDTH, (64, 48))), RED)
    assert near(page.getpixel(middle(1, 1, LABEL_WIDTH, (64, 48))), BLUE)
    assert near(page.getpixel(middle(1, 0, LABEL_WIDTH, (64, 48))), (255, 255, 255))  # it has been deleted


def test_labels_are_written_over_columns_and_beside_rows(tmp_path: Path) -> None:
    cells = {(0, 0): picture(tmp_path, "a", RED, (200, 200))}
    page = drawn(Sheet(("steps 4",), ("a long word of a prompt " * 9,), cells), tmp_path).convert("L")
    over = page.crop((LABEL_WIDTH, 0, page.width, LABEL_HEIGHT))
    beside = page.crop((0, LABEL_HEIGHT, LABEL_WIDTH, page.height))
    assert over.getextrema()[0] < 100
    assert beside.getextrema()[0] < 100


def test_one_row_without_a_label_takes_no_room_for_it(tmp_path: Path) -> None:
    page = drawn(Sheet(("steps 4",), ("",), {(0, 0): picture(tmp_path, "a", RED)}), tmp_path)
    assert page.width == 64 + 2 * GAP
    assert near(page.getpixel(middle(0, 0, 0, (64, 48))), RED)


@pytest.mark.parametrize(("size", "cell"), [((2048, 1024), (MAX_CELL, MAX_CELL // 2)), ((64, 640), (51, MAX_CELL))])
def test_large_pictures_are_made_smaller_and_keep_their_shape(
    tmp_path: Path, size: tuple[int, int], cell: tuple[int, int]
) -> None:
    page = drawn(Sheet(("x",), ("",), {(0, 0): picture(tmp_path, "a", BLUE, size)}), tmp_path)
    assert page.size == (cell[0] + 2 * GAP, LABEL_HEIGHT + cell[1] + 2 * GAP)
