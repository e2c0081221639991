"""Draws a portrait: the setting, the light on it, the person, the light on them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import skia
from numpy.typing import NDArray

from scripts.pocket.background import draw_setting
from scripts.pocket.clothes import draw_body
from scripts.pocket.face import draw_glasses, draw_head
from scripts.pocket.figure import placed
from scripts.pocket.hair import draw_back_hair, draw_front_hair
from scripts.pocket.light import light_background, light_person
from scripts.pocket.strokes import SIZE
from scripts.pocket.world import Identity, Shot


def draw(identity: Identity, shot: Shot, scale: int = 1) -> NDArray[np.uint8]:
    """Return RGB pixels [128 * scale, 128 * scale, 3]; the same arguments always give the same picture."""
    rng = random.Random(shot.seed)
    surface, canvas = _canvas(scale)
    canvas.clear(skia.ColorBLACK)
    draw_setting(canvas, shot.setting, rng, scale)
    light_background(canvas, shot, rng)
    layer, above = _canvas(scale)
    above.clear(skia.ColorTRANSPARENT)
    _draw_person(above, identity, shot, rng)
    light_person(above, shot)
    canvas.resetMatrix()
    canvas.drawImage(layer.makeImageSnapshot(), 0, 0)
    pixels: NDArray[np.uint8] = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
    return np.ascontiguousarray(pixels[..., :3])


def _canvas(scale: int) -> tuple[Any, Any]:
    surface = skia.Surface(SIZE * scale, SIZE * scale)
    canvas = surface.getCanvas()
    canvas.scale(scale, scale)
    return surface, canvas


def _draw_person(canvas: Any, identity: Identity, shot: Shot, rng: random.Random) -> None:
    canvas.save()
    figure = placed(canvas, identity, shot, rng)
    draw_back_hair(figure)
    draw_body(figure)
    canvas.rotate(shot.tilt)
    draw_head(figure)
    draw_front_hair(figure)
    draw_glasses(figure)
    canvas.restore()
