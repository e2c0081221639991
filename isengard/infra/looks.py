"""What can be measured in a small copy of a picture: light, and the colours around the person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EDGE = 64  # enough for light and colours
FRAME = 0.16  # of each side: what lies behind a person, mostly
STEPS = 4  # of each colour channel
LUMA = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Look:
    """``light``: mean luma 0..1. ``backdrop``: share of each of 64 colours in left, right and top margin.

    ``face_light`` and ``side`` are of the face: mean luma, and the difference of its halves over their sum,
    -1 (lit from the picture's right) to 1 (from its left); None without a face.
    """

    light: float
    backdrop: tuple[float, ...]
    face_light: float | None = None
    side: float | None = None


def look_at(path: Path, face: Box | None = None) -> Look:
    """Measure a picture, of any size; ``face`` is left, top, width, height in shares of it."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        image.draft("RGB", (EDGE * 2, EDGE * 2))
        small = np.asarray(image.convert("RGB").resize((EDGE, EDGE), Image.Resampling.BOX), dtype=np.float64) / 255
    luma = small @ np.asarray(LUMA)
    width = round(FRAME * EDGE)
    margin = np.concatenate([small[:, :width].reshape(-1, 3), small[:, -width:].reshape(-1, 3)])
    margin = np.concatenate([margin, small[:width, width:-width].reshape(-1, 3)])
    steps = np.minimum((margin * STEPS).astype(int), STEPS - 1)
    index = (steps[:, 0] * STEPS + steps[:, 1]) * STEPS + steps[:, 2]
    shares = np.bincount(index, minlength=STEPS**3) / len(index)
    backdrop = tuple(shares.tolist())
    if face is None:
        return Look(float(luma.mean()), backdrop)
    left, top, wide, high = (round(value * EDGE) for value in face)
    part = luma[max(0, top) : top + max(1, high), max(0, left) : left + max(2, wide)]
    if part.shape[0] < 1 or part.shape[1] < 2:
        return Look(float(luma.mean()), backdrop)
    half = part.shape[1] // 2
    one, other = float(part[:, :half].mean()), float(part[:, -half:].mean())
    return Look(float(luma.mean()), backdrop, float(part.mean()), (one - other) / max(one + other, 1e-6))


def alike(one: Look, other: Look) -> float:
    """Return how much two backdrops share, 0..1: the intersection of their colours."""
    return sum(min(a, b) for a, b in zip(one.backdrop, other.backdrop, strict=True))
