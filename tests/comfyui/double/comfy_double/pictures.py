"""Real pictures for made-up results: decided by the graph's ink alone, never by the clock."""

from __future__ import annotations

import io
import json
import random
from typing import Any

from PIL import Image, PngImagePlugin

GRID = 8


def paint(ink: str, size: tuple[int, int]) -> Image.Image:
    """Paint soft coloured clouds; the same ink gives the same picture."""
    noise = random.Random(ink).randbytes(GRID * GRID * 3)
    return Image.frombytes("RGB", (GRID, GRID), noise).resize(size, Image.Resampling.BICUBIC)


def spoiled(kind: str, size: tuple[int, int]) -> Image.Image:
    """Return what a broken run gives: all black (also what NaN becomes in a PNG), or one colour."""
    return Image.new("RGB", size, {"black": (0, 0, 0), "nan": (0, 0, 0), "constant": (127, 126, 128)}[kind])


def png(picture: Image.Image, chunks: dict[str, Any]) -> bytes:
    """Encode with one text chunk for each entry, as the server's own nodes do."""
    texts = PngImagePlugin.PngInfo()
    for name, content in chunks.items():
        texts.add_text(name, json.dumps(content))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=texts, compress_level=1)
    return buffer.getvalue()


def jpeg(ink: str, size: tuple[int, int], largest: int) -> bytes:
    """Return a preview."""
    scale = min(1.0, largest / max(size))
    buffer = io.BytesIO()
    picture = paint(ink, (max(1, int(size[0] * scale)), max(1, int(size[1] * scale))))
    picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
