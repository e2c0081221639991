"""The six kinds of light: what each does to the background, and to the person in front of it."""

from __future__ import annotations

import random
from typing import Any

import skia

from scripts.pocket.strokes import FULL, SIZE, linear, paint, radial, shaded
from scripts.pocket.world import Shot

MULTIPLY = skia.BlendMode.kMultiply
ON_TOP = skia.BlendMode.kSrcATop  # only where the person already is


def light_background(canvas: Any, shot: Shot, rng: random.Random) -> None:
    """Let the light fall on the setting."""
    if shot.light == "golden hour light":
        canvas.drawRect(FULL, paint((255, 176, 86), mode=MULTIPLY))
        canvas.drawCircle(_sun(shot), 26, 46, paint((255, 214, 130), 150, blur=22))
    elif shot.light == "night lighting":
        _darken(canvas, (58, 66, 120), 9, rng)
    elif shot.light == "neon lighting":
        _darken(canvas, (70, 48, 110), 5, rng)
        canvas.drawCircle(4, 60, 44, paint((255, 40, 160), 150, blur=22))
        canvas.drawCircle(124, 60, 44, paint((30, 200, 255), 150, blur=22))
    elif shot.light == "dramatic lighting":
        canvas.drawRect(FULL, paint((70, 66, 70), mode=MULTIPLY))
    elif shot.light == "studio lighting":
        lit = radial((64, 50), 100, [skia.Color(255, 255, 255, 70), skia.Color(40, 40, 50, 110)])
        canvas.drawRect(FULL, shaded(lit))


def light_person(canvas: Any, shot: Shot) -> None:
    """Let the light fall on the person, who alone is on this canvas."""
    if shot.light == "golden hour light":
        canvas.drawRect(FULL, paint((255, 160, 70), 36, mode=ON_TOP))
        sun = _sun(shot)
        _wash(canvas, (sun, 0), (128 - sun, 0), [(255, 214, 130, 80), (120, 50, 20, 50)])
    elif shot.light == "night lighting":
        canvas.drawRect(FULL, paint((22, 28, 78), 60, mode=ON_TOP))
    elif shot.light == "neon lighting":
        canvas.drawRect(FULL, paint((40, 20, 80), 44, mode=ON_TOP))
        _wash(canvas, (10, 0), (118, 0), [(255, 40, 160, 100), (60, 30, 90, 24), (30, 200, 255, 100)])
    elif shot.light == "dramatic lighting":
        side = 1 if shot.seed % 2 else -1
        _wash(canvas, (64 - side * 26, 0), (64 + side * 34, 0), [(255, 240, 210, 16), (14, 10, 16, 120)])
    elif shot.light == "studio lighting":
        lit = radial((50, 36), 84, [skia.Color(255, 255, 255, 56), skia.Color(20, 20, 30, 56)])
        canvas.drawRect(FULL, shaded(lit, ON_TOP))


def _sun(shot: Shot) -> int:
    return 104 if shot.seed % 2 else 24


def _darken(canvas: Any, shade: tuple[int, int, int], lamps: int, rng: random.Random) -> None:
    canvas.drawRect(FULL, paint(shade, mode=MULTIPLY))
    for _ in range(lamps):
        x, y, radius = rng.uniform(0, SIZE), rng.uniform(4, 80), rng.uniform(2, 4.5)
        canvas.drawCircle(x, y, radius, paint((255, 222, 150), 170, blur=1.2))


def _wash(canvas: Any, start: tuple[int, int], end: tuple[int, int], colours: list[tuple[int, int, int, int]]) -> None:
    across = linear(start, end, [skia.Color(*rgba) for rgba in colours])
    canvas.drawRect(FULL, shaded(across, ON_TOP))
