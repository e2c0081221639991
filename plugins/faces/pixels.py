"""Pictures as OpenCV has them: decoded upright, and scaled to the size that faces are looked for in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from isengard.errors import InvalidInput

SMALL_EDGE, LARGE_EDGE = 512, 640  # pictures are brought between these before detection
FAR_EDGE = 1280  # for a second look, where nobody was found
SHARPNESS_EDGE = 256  # faces are brought to one size first: the measure depends on it


def read(image: Path) -> Any:
    """Return (height, width, 3) BGR bytes, upright; raise InvalidInput for a file that is no picture."""
    import cv2
    import numpy as np

    raw = np.frombuffer(image.read_bytes(), dtype=np.uint8)
    pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    if pixels is None:
        raise InvalidInput(f"{image.name} is not a picture that can be read.", "Use a JPEG, PNG or WebP file.")
    return pixels


def fitted(pixels: Any, largest: int = LARGE_EDGE) -> tuple[Any, float]:
    """Return the picture with its longer edge between 512 and ``largest`` pixels, and its scale to the file."""
    import cv2

    edge = max(pixels.shape[:2])
    scale = min(max(edge, SMALL_EDGE), largest) / edge
    if scale == 1.0:
        return pixels, scale
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how), scale


def sharpness(pixels: Any, box: tuple[float, float, float, float]) -> float:
    """Return the variance of the Laplacian of a face at 256 x 256 pixels: sharp portraits have 94 to 716."""
    import cv2

    x, y, width, height = (round(value) for value in box)
    crop = pixels[max(0, y) : y + height, max(0, x) : x + width]
    if crop.size == 0:
        return 0.0
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    one_size = cv2.resize(grey, (SHARPNESS_EDGE, SHARPNESS_EDGE), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(one_size, cv2.CV_64F).var())
