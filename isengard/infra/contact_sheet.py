"""Draws a comparison grid as one picture: pictures in rows and columns, with what changes beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

MAX_CELL = 512  # pixels; the pictures themselves are kept beside the grid in full
GAP, LABEL_HEIGHT, LABEL_WIDTH = 8, 56, 140
LABEL_CHARS = 60


@dataclass(frozen=True)
class Sheet:
    """What stands over the columns and beside the rows, and the picture of each (column, row)."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: Mapping[tuple[int, int], Path]


def draw_sheet(sheet: Sheet, target: Path) -> None:
    """Write the grid as a JPEG; a missing picture leaves its place empty."""
    cell = _cell_size(sheet)
    left = LABEL_WIDTH if any(sheet.rows) else 0
    width = left + len(sheet.columns) * (cell[0] + GAP) + GAP
    height = LABEL_HEIGHT + len(sheet.rows) * (cell[1] + GAP) + GAP
    page = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(page)
    for column, label in enumerate(sheet.columns):
        _write(pen, label, (left + GAP + column * (cell[0] + GAP), GAP), cell[0])
    for row, label in enumerate(sheet.rows):
        _write(pen, label, (GAP, LABEL_HEIGHT + GAP + row * (cell[1] + GAP)), LABEL_WIDTH - GAP)
    for (column, row), path in sheet.cells.items():
        with Image.open(path) as picture:
            small = picture.convert("RGB")
            small.thumbnail(cell, Image.Resampling.LANCZOS)
        page.paste(small, (left + GAP + column * (cell[0] + GAP), LABEL_HEIGHT + row * (cell[1] + GAP)))
    page.save(target, "JPEG", quality=90)


def _cell_size(sheet: Sheet) -> tuple[int, int]:
    """Return the largest picture's size, made smaller where needed."""
    sizes = []
    for path in sheet.cells.values():
        with Image.open(path) as picture:
            sizes.append(picture.size)
    width, height = max(w for w, _ in sizes), max(h for _, h in sizes)
    scale = min(1.0, MAX_CELL / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _write(pen: ImageDraw.ImageDraw, label: str, place: tuple[int, int], width: int) -> None:
    font = ImageFont.load_default(14)
    letters = max(4, width // 8)
    text = "\n".join(textwrap.wrap(label[:LABEL_CHARS], letters)[:3])
    pen.multiline_text(place, text, fill="black", font=font)
