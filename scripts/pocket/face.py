"""The head and all that is in the face: eyes, nose, mouth, beard, glasses."""

from __future__ import annotations

import math
import random
from typing import Any

import skia

from scripts.pocket.figure import EYE_Y, Figure
from scripts.pocket.strokes import WHITE, Point, colour, curve, mix, oval, paint, radial, shaded, smooth, times
from scripts.pocket.world import EYES, Colour

FRAME: Colour = (28, 24, 28)
_OPEN = {"neutral expression": 0.95, "smiling": 0.8, "laughing": 0.5, "surprised": 1.35}  # how wide the eyes are


def draw_head(figure: Figure) -> None:
    """Draw the head with its face, but no hair and no glasses."""
    canvas, skin = figure.canvas, figure.skin
    if figure.yaw > -0.4:
        _ear(figure, -1)
    if figure.yaw < 0.4:
        _ear(figure, 1)
    head = smooth(_outline(figure))
    tones = [colour(mix(skin, WHITE, 0.14)), colour(skin), colour(times(skin, 0.72))]
    canvas.drawPath(head, shaded(radial((-0.35 + figure.yaw * 0.3, -0.35), 2.0, tones, [0, 0.5, 1])))
    canvas.save()
    canvas.clipPath(head, True)  # noqa: FBT003 - skia's own signature: smooth edges
    _on_the_skin(figure)
    _beard(figure)
    canvas.restore()
    for side in (-1, 1):
        _eye(figure, side)
        _brow(figure, side)
    _nose(figure)
    _mouth(figure)
    _moustache(figure)


def draw_glasses(figure: Figure) -> None:
    """Draw the glasses, if the person wears any."""
    kind = figure.identity.glasses
    if not kind:
        return
    canvas = figure.canvas
    for side in (-1, 1):
        x = figure.eye_x(side)
        _lens(canvas, x, kind)
        temple = side * figure.identity.width * 0.97 - figure.yaw * 0.1
        canvas.drawLine(x + side * 0.34, EYE_Y - 0.02, temple, -0.1, paint(FRAME, stroke=0.06))
    canvas.drawLine(figure.eye_x(-1) + 0.34, EYE_Y, figure.eye_x(1) - 0.34, EYE_Y, paint(FRAME, stroke=0.07))


def _outline(figure: Figure) -> list[Point]:
    identity, points = figure.identity, []
    for step in range(36):
        turn = step * 2 * math.pi / 36
        x, y = math.cos(turn), math.sin(turn)
        if y > 0:  # below the ears the circle becomes a jaw: squarer, and narrower towards the chin
            power = 2 + max(0, identity.jaw) * 1.1
            shrink = (abs(x) ** power + abs(y) ** power) ** (-1 / power)
            x, y = x * shrink, y * shrink
            x *= 1 - (0.16 - 0.1 * identity.jaw) * y * y * (1.2 if figure.woman else 1)
        long = y * identity.height if y > 0 else y * identity.height * 0.98
        points.append((x * identity.width + figure.yaw * 0.1 * y, long))
    return points


def _ear(figure: Figure, side: int) -> None:
    size, x = figure.identity.ears, side * (figure.identity.width * 0.98) - figure.yaw * 0.18
    figure.canvas.drawOval(oval(x, 0.08, 0.19 * size, 0.3 * size), paint(times(figure.skin, 0.84)))


def _on_the_skin(figure: Figure) -> None:
    canvas, skin, x = figure.canvas, figure.skin, figure.face_x
    for side in (-1, 1):
        canvas.drawCircle(x + side * 0.52, 0.42, 0.24, paint(mix(skin, (235, 90, 80), 0.5), 70, blur=0.1))
    if figure.identity.age == "elderly":
        _wrinkles(figure)
    if figure.identity.freckles:
        where = random.Random(5)  # the same freckles on everyone who has them
        for _ in range(22):
            centre = x + where.uniform(-0.62, 0.62), 0.3 + where.uniform(-0.14, 0.2)
            canvas.drawCircle(*centre, 0.035, paint(times(skin, 0.62), 180))


def _wrinkles(figure: Figure) -> None:
    canvas, skin, x = figure.canvas, figure.skin, figure.face_x
    for side in (-1, 1):
        eye = figure.eye_x(side)
        canvas.drawLine(x + side * 0.3, 0.36, x + side * 0.46, 0.66, paint(times(skin, 0.66), 150, stroke=0.05))
        canvas.drawLine(eye - 0.16, 0.16, eye + 0.16, 0.18, paint(times(skin, 0.7), 140, stroke=0.04))
    for row in range(2):
        y = -0.66 + row * 0.14
        canvas.drawLine(x - 0.38, y, x + 0.38, y, paint(times(skin, 0.74), 130, stroke=0.04))


def _beard(figure: Figure) -> None:
    identity, x = figure.identity, figure.face_x
    rgb, width, chin = times(figure.hair, 0.92), identity.width, identity.height
    if identity.beard in {"full beard", "stubble"}:
        cheek = [(-width * 1.05, 0.05), (-width * 0.8, 0.3), (x - 0.42, 0.5), (x, 0.42), (x + 0.42, 0.5)]
        jaw = [(width * 0.8, 0.3), (width * 1.05, 0.05), (width, 0.9)]
        low = [(0.5, chin + 0.12), (-0.5, chin + 0.12), (-width, 0.9)]
        dense = 235 if identity.beard == "full beard" else 70
        figure.canvas.drawPath(smooth([*cheek, *jaw, *low]), paint(rgb, dense, blur=0.04))
    elif identity.beard == "goatee":
        tuft = [(x - 0.36, 0.58), (x + 0.36, 0.58), (x + 0.34, 1.05), (x, chin + 0.1), (x - 0.34, 1.05)]
        figure.canvas.drawPath(smooth(tuft), paint(rgb, 235, blur=0.03))


def _eye(figure: Figure, side: int) -> None:
    canvas, identity, x = figure.canvas, figure.identity, figure.eye_x(side)
    size, narrow = 0.17 * identity.eye_size, figure.far(side, 0.3)
    wide = _OPEN[figure.shot.expression] * (0.85 if identity.age == "elderly" else 1)
    socket = oval(x, EYE_Y, size * 1.75 * narrow, size * 1.25)
    canvas.drawOval(socket, paint(times(figure.skin, 0.8), 120, blur=0.05))
    white = skia.Path()
    white.addOval(oval(x, EYE_Y, size * 1.5 * narrow, size * wide))
    canvas.save()
    canvas.drawPath(white, paint((250, 248, 246)))
    canvas.clipPath(white, True)  # noqa: FBT003 - smooth edges
    iris = x + figure.yaw * 0.06
    canvas.drawCircle(iris, EYE_Y, size * 0.86, paint(EYES[identity.eyes]))
    canvas.drawCircle(iris, EYE_Y, size * 0.42, paint((16, 14, 16)))
    canvas.restore()
    canvas.drawCircle(iris - 0.05, EYE_Y - 0.05, 0.035, paint(WHITE))
    reach = size * 1.6 * narrow
    lid = curve((x - reach, EYE_Y + 0.01), (x, EYE_Y - size * wide * 1.9, x + reach, EYE_Y + 0.01))
    canvas.drawPath(lid, paint((40, 28, 26), 220, stroke=0.075 if figure.woman else 0.05))


def _brow(figure: Figure, side: int) -> None:
    x, identity = figure.eye_x(side), figure.identity
    y = EYE_Y - 0.3 - (0.1 if figure.shot.expression == "surprised" else 0)
    end = x + side * 0.24 * figure.far(side, 0.3)
    light_hair = identity.hair in {"white", "grey"}
    rgb: Colour = (150, 148, 146) if light_hair else mix(figure.hair, (40, 30, 28), 0.35)
    arch = curve((x - side * 0.2, y + 0.02), (x, y - 0.1, end, y + 0.04 + 0.02))
    figure.canvas.drawPath(arch, paint(rgb, 235, stroke=0.085 * identity.brow + 0.02))


def _nose(figure: Figure) -> None:
    x, yaw, size = figure.face_x, figure.yaw, figure.identity.nose
    way = 1 if yaw >= 0 else -1
    bridge = (x + yaw * 0.2 + 0.12 * size * way, 0.25, x + yaw * 0.16 + 0.13 * size * way, 0.36)
    tip = (x + yaw * 0.12, 0.47, x + yaw * 0.1 - 0.14 * size * way, 0.37)
    line = curve((x + 0.02 + yaw * 0.05, -0.02), bridge, tip)
    figure.canvas.drawPath(line, paint(times(figure.skin, 0.62), 170, stroke=0.065))
    shine = paint(mix(figure.skin, WHITE, 0.4), 110, blur=0.04)
    figure.canvas.drawCircle(x + yaw * 0.14, 0.26, 0.09 * size, shine)


def _mouth(figure: Figure) -> None:
    width = 0.34 * figure.identity.mouth * (1 - 0.15 * abs(figure.yaw))
    x, y = figure.face_x + figure.yaw * 0.02, 0.72
    lip = figure.identity.lips or mix(times(figure.skin, 0.68), (176, 70, 70), 0.4)
    expression, canvas = figure.shot.expression, figure.canvas
    if expression == "laughing":
        _laugh(canvas, (x, y), width, lip)
    elif expression == "surprised":
        mouth = oval(x, y + 0.05, width * 0.42, 0.17)
        canvas.drawOval(mouth, paint((90, 26, 30)))
        canvas.drawOval(mouth, paint(lip, stroke=0.06))
    else:
        bend = 0.2 if expression == "smiling" else 0.04
        left, right = (x - width, y - bend * 0.5), (x + width, y - bend * 0.5)
        if figure.woman:
            canvas.drawPath(curve(left, (x, y - 0.1 + bend * 0.6, *right), (x, y + 0.17 + bend, *left)), paint(lip))
        canvas.drawPath(curve(left, (x, y + bend, *right)), paint(times(lip, 0.62), 235, stroke=0.07))


def _laugh(canvas: Any, middle: Point, width: float, lip: Colour) -> None:
    x, y = middle
    left, right = (x - width * 1.1, y - 0.06), (x + width * 1.1, y - 0.06)
    mouth = curve(left, (x, y + 0.02, *right), (x, y + 0.52, *left))
    mouth.close()
    canvas.drawPath(mouth, paint((96, 24, 30)))
    canvas.save()
    canvas.clipPath(mouth, True)  # noqa: FBT003 - smooth edges
    canvas.drawRect(skia.Rect.MakeLTRB(x - width * 1.2, y - 0.1, x + width * 1.2, y + 0.1), paint((252, 250, 246)))
    canvas.restore()
    canvas.drawPath(mouth, paint(lip, stroke=0.05))


def _moustache(figure: Figure) -> None:
    if figure.identity.beard in {"moustache", "full beard", "goatee"}:
        x = figure.face_x
        above = [(x - 0.44, 0.7), (x - 0.2, 0.5), (x, 0.52), (x + 0.2, 0.5), (x + 0.44, 0.7)]
        under = [(x + 0.15, 0.64), (x - 0.15, 0.64)]
        figure.canvas.drawPath(smooth([*above, *under]), paint(times(figure.hair, 0.92), 245))


def _lens(canvas: Any, x: float, kind: str) -> None:
    round_lens = kind == "round glasses"
    shape = oval(x, EYE_Y + 0.02, 0.34, 0.3) if round_lens else oval(x, EYE_Y + 0.02, 0.36, 0.25)
    corner = 0.3 if round_lens else 0.09
    lens = skia.RRect.MakeRectXY(shape, corner, corner)
    canvas.drawRRect(lens, paint((20, 20, 26), 235) if kind == "sunglasses" else paint((220, 235, 245), 50))
    canvas.drawRRect(lens, paint(FRAME, stroke=0.075))
    if kind == "sunglasses":
        canvas.drawLine(x - 0.2, EYE_Y - 0.1, x - 0.05, EYE_Y + 0.1, paint(WHITE, 90, stroke=0.06))
