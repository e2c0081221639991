"""The changes that make a variation of a photo. Each is named in the catalogue and jittered by the attempt's seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image, ImageEnhance

Box = tuple[float, float, float, float]  # x, y, width, height in pixels

CROPS = {"as it is": 1.0, "a little closer": 0.85, "closer": 0.7, "much closer": 0.55}  # share of the shorter edge
SIDES = {"as it is": False, "mirrored": True}
TURNS = {"level": 0.0, "to the left": 6.0, "to the right": -6.0}  # degrees
LENSES = {  # how far a corner moves in, as a share of the edge: left, right, top, bottom
    "straight": (0.0, 0.0, 0.0, 0.0),
    "from the left": (0.08, 0.0, 0.0, 0.0),
    "from the right": (0.0, 0.08, 0.0, 0.0),
    "from above": (0.0, 0.0, 0.0, 0.08),
    "from below": (0.0, 0.0, 0.08, 0.0),
}
FACE_ROOM = 2.2  # a cut keeps at least this many face edges around the face
JITTER = 0.04


def varied(photo: Image.Image, face: Box, shot: Mapping[str, str], seed: int) -> Image.Image:
    """Return a variation of an RGB photo. The face stays whole; equal arguments give equal pixels."""
    rng = random.Random(seed)
    turned = _turned(photo, face, TURNS[shot["turn"]] + rng.uniform(-2, 2))
    seen = _seen(turned, tuple(corner + rng.uniform(0, JITTER) for corner in LENSES[shot["lens"]]))
    cut = _cut(seen, face, CROPS[shot["crop"]] - rng.uniform(0, JITTER), rng)
    toned = TONES[shot["tone"]](cut, 1 + rng.uniform(-JITTER, JITTER))
    return toned.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if SIDES[shot["side"]] else toned


def _turned(photo: Image.Image, face: Box, degrees: float) -> Image.Image:
    """Turn around the face; what was outside is filled by the picture's own edge, and cut off later where it can be."""
    x, y, width, height = face
    wide = _with_edges(photo)
    left, top = (wide.width - photo.width) // 2, (wide.height - photo.height) // 2
    centre = (left + x + width / 2, top + y + height / 2)
    turned = wide.rotate(degrees, Image.Resampling.BICUBIC, center=centre)
    return turned.crop((left, top, left + photo.width, top + photo.height))


def _with_edges(photo: Image.Image) -> Image.Image:
    import numpy as np

    pad = max(photo.size) // 4
    return Image.fromarray(np.pad(np.asarray(photo), ((pad, pad), (pad, pad), (0, 0)), mode="edge"))


def _seen(photo: Image.Image, corners: tuple[float, ...]) -> Image.Image:
    """Show the photo as from another side: two of its corners come from further inside."""
    left, right, top, bottom = corners
    w, h = photo.size
    quad = (
        *(w * top, h * left),
        *(w * bottom, h * (1 - left)),
        *(w * (1 - bottom), h * (1 - right)),
        *(w * (1 - top), h * right),
    )
    return photo.transform(photo.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)


def _cut(photo: Image.Image, face: Box, share: float, rng: random.Random) -> Image.Image:
    """Cut a part out that holds the face with room around it, the face not always in its middle."""
    x, y, width, height = face
    room = min(FACE_ROOM * max(width, height), *photo.size)
    size = [max(room, share * edge) for edge in photo.size]
    corner = []
    for place, extent, part, whole in ((x, width, size[0], photo.width), (y, height, size[1], photo.height)):
        middle = place + extent / 2 + rng.uniform(-0.15, 0.15) * part - part / 2
        corner.append(min(max(0.0, middle), max(0.0, whole - part)))
    left, top = round(corner[0]), round(corner[1])
    return photo.crop((left, top, left + round(size[0]), top + round(size[1])))


def _warmed(strength: float) -> Callable[[Image.Image, float], Image.Image]:
    def change(photo: Image.Image, jitter: float) -> Image.Image:
        red, green, blue = photo.split()
        gain = strength * jitter
        return Image.merge("RGB", (red.point(_times(1 + gain)), green, blue.point(_times(1 - gain))))

    return change


def _times(gain: float) -> list[int]:
    return [min(255, round(value * gain)) for value in range(256)]


def _with(enhancer: Callable[[Image.Image], Any], factor: float) -> Callable[[Image.Image, float], Image.Image]:
    def change(photo: Image.Image, jitter: float) -> Image.Image:
        changed: Image.Image = enhancer(photo).enhance(factor * jitter)
        return changed

    return change


TONES: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "as it is": _with(ImageEnhance.Brightness, 1.0),
    "brighter": _with(ImageEnhance.Brightness, 1.2),
    "darker": _with(ImageEnhance.Brightness, 0.78),
    "warmer": _warmed(0.08),
    "cooler": _warmed(-0.08),
    "more contrast": _with(ImageEnhance.Contrast, 1.25),
    "less contrast": _with(ImageEnhance.Contrast, 0.78),
    "paler": _with(ImageEnhance.Color, 0.7),
}
