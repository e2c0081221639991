"""What of a picture a trainer uses, and crops that keep a face whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isengard.domain.dataset import Crop
from isengard.plugins.protocols import Face
from isengard.services.doctor.case import Case, Picture

STEP = 64  # pixels that both sides of a bucket are a multiple of
SQUARE_TOP = 0.3  # share of what is cut off above: the diffusers engine cuts like this (engine/dataset.py)
MIN_CROP = 256  # pixels: a smaller part of a photograph is no training picture
# A head around a face, in sizes of the face: hair above, neck below, and to both sides.
ABOVE, BELOW, BESIDE = 0.5, 0.7, 0.45
CLOSE = 0.3  # share of the crop's height that a face gets when a crop brings it closer


@dataclass(frozen=True)
class Window:
    """A part of a picture, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Return the width."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Return the height."""
        return self.bottom - self.top

    def holds(self, other: Window, slack: float = 1.0) -> bool:
        """Tell whether another window lies inside, give or take some pixels."""
        return (
            self.left - slack <= other.left
            and self.top - slack <= other.top
            and self.right + slack >= other.right
            and self.bottom + slack >= other.bottom
        )


def bucket(case: Case, picture: Picture) -> tuple[int, int]:
    """Return width and height at which the picture is trained.

    Trainers with buckets keep the shape and the base model's number of pixels, both sides a multiple of 64.
    """
    edge = case.row.resolution
    if case.square:
        return edge, edge
    scale = min(1.0, case.enlarged(picture))  # nothing is made larger
    sides = (max(STEP, int(side * scale + 0.5) // STEP * STEP) for side in (picture.width, picture.height))
    width, height = sides
    return width, height


def trained(case: Case, picture: Picture) -> Window:
    """Return the part of the picture that the trainer keeps."""
    width, height = bucket(case, picture)
    scale = min(picture.width / width, picture.height / height)
    kept_width, kept_height = width * scale, height * scale
    left = (picture.width - kept_width) / 2
    top = (picture.height - kept_height) * (SQUARE_TOP if case.square else 0.5)
    return Window(left, top, left + kept_width, top + kept_height)


def face_window(face: Face) -> Window:
    """Return a face's box as a window."""
    x, y, width, height = face.box
    return Window(x, y, x + width, y + height)


def head_window(face: Face, picture: Picture) -> Window:
    """Return the face with hair and neck, inside the picture."""
    x, y, width, height = face.box
    return Window(
        max(0.0, x - BESIDE * width),
        max(0.0, y - ABOVE * height),
        min(float(picture.width), x + (1 + BESIDE) * width),
        min(float(picture.height), y + (1 + BELOW) * height),
    )


def around_face(case: Case, picture: Picture, face: Face) -> Crop | None:
    """Return the largest crop of the trainer's shape that holds the head and centres it; None when there is none."""
    head = head_window(face, picture)
    ratio = 1.0 if case.square else picture.width / picture.height
    width = min(float(picture.width), picture.height * ratio)
    height = width / ratio
    if width < head.width or height < head.height:
        return None
    left = min(max(0.0, face.box[0] + (face.box[2] - width) / 2), picture.width - width)
    top = min(max(0.0, head.top - (height - head.height) * SQUARE_TOP), picture.height - height)
    return _crop(picture, Window(left, top, left + width, top + height))


def closer(picture: Picture, face: Face) -> Crop | None:
    """Return a crop in which the face is large enough; None when it would have too few pixels."""
    head = head_window(face, picture)
    height = min(float(picture.height), max(face.box[3] / CLOSE, head.height))
    width = min(float(picture.width), max(height * 0.8, head.width))
    left = min(max(0.0, face.box[0] + (face.box[2] - width) / 2), picture.width - width)
    top = min(max(0.0, head.top - 0.1 * height), picture.height - height)
    return _crop(picture, Window(left, top, left + width, top + height))


def apart(picture: Picture, face: Face) -> Crop | None:
    """Return the largest crop with one face's head and none of the other faces; None when they are too close."""
    head = head_window(face, picture)
    window = Window(0.0, 0.0, float(picture.width), float(picture.height))
    for other in (face_window(one) for one in picture.faces if one is not face):
        choices = [
            Window(max(window.left, other.right), window.top, window.right, window.bottom),
            Window(window.left, window.top, min(window.right, other.left), window.bottom),
            Window(window.left, max(window.top, other.bottom), window.right, window.bottom),
            Window(window.left, window.top, window.right, min(window.bottom, other.top)),
        ]
        good = [one for one in choices if one.holds(head)]
        if not good:
            return None
        window = max(good, key=lambda one: one.width * one.height)
    return _crop(picture, window)


def _crop(picture: Picture, window: Window) -> Crop | None:
    """Return a window of what training sees as a crop of the upright original."""
    left, top = math.ceil(window.left - 1e-6), math.ceil(window.top - 1e-6)
    width, height = math.floor(window.width + 1e-6), math.floor(window.height + 1e-6)
    if min(width, height) < MIN_CROP:
        return None
    image = picture.image
    now = image.crop or Crop(left=0, top=0, width=image.width, height=image.height)
    scale = now.width / picture.width  # training sees a copy that may be smaller
    x, y = min(round(left * scale), now.width - 1), min(round(top * scale), now.height - 1)
    return Crop(
        left=now.left + x,
        top=now.top + y,
        width=max(1, min(round(width * scale), now.width - x)),
        height=max(1, min(round(height * scale), now.height - y)),
    )
