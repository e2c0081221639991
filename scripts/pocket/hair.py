"""The hair styles, in two layers: what falls behind the head, and what lies before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scripts.pocket.figure import Figure
from scripts.pocket.strokes import Point, colour, linear, mix, oval, paint, polygon, shaded, smooth


def draw_back_hair(figure: Figure) -> None:
    """Draw what is behind neck and head."""
    draw = _BACK.get(figure.identity.style)
    if draw:
        draw(figure)


def draw_front_hair(figure: Figure) -> None:
    """Draw what is before the forehead."""
    _FRONT.get(figure.identity.style, _long_front)(figure)


def _mirrored(points: list[Point]) -> list[Point]:
    return [(-x, y) for x, y in reversed(points)]


def _falling(figure: Figure, top: float, bottom: float) -> Any:
    return shaded(linear((0, top), (0, bottom), [colour(figure.hair), colour(figure.hair_dark)]))


def _long_straight_back(figure: Figure) -> None:
    width, height = figure.identity.width, figure.identity.height
    strand = [(width + 0.3, 0.6 + step * 0.45) for step in range(4)]
    right = [(width * 0.8, -height * 0.95), (width + 0.28, -0.5), (width + 0.3, 0.3), *strand, (width * 0.7, 2.5)]
    path = smooth([(0, -height - 0.22), *right, *_mirrored(right)])
    figure.canvas.drawPath(path, _falling(figure, -1, 2.5))


def _bob_back(figure: Figure) -> None:
    width, height = figure.identity.width, figure.identity.height
    right = [(width * 0.8, -height * 0.95), (width + 0.3, -0.4), (width + 0.34, 0.6), (width + 0.1, 1.1)]
    figure.canvas.drawPath(smooth([(0, -height - 0.2), *right, *_mirrored(right)]), paint(figure.hair_dark))


def _afro_back(figure: Figure) -> None:
    ball = figure.hair_ball((-0.4, -1), 2.2)
    figure.canvas.drawCircle(-figure.yaw * 0.1, -0.5, figure.identity.width + 0.72, ball)


def _curly_back(figure: Figure) -> None:
    width, height = figure.identity.width, figure.identity.height
    for curl in range(15):
        turn = math.pi * 1.12 + curl * math.pi / 9 - 0.9
        x, y = (width + 0.16) * math.cos(turn), -0.25 + (height * 0.86) * math.sin(turn)
        figure.canvas.drawCircle(x, y, 0.36, _curl(figure, curl))
    for curl in range(6 if figure.woman else 0):
        for side in (-1, 1):
            figure.canvas.drawCircle(side * (width + 0.14), -0.3 + curl * 0.3, 0.34, _curl(figure, curl))


def _curl(figure: Figure, number: int) -> Any:
    return paint(mix(figure.hair_dark, figure.hair, (number % 3) / 2))


def _ponytail_back(figure: Figure) -> None:
    width, side = figure.identity.width, -1 if figure.yaw > 0 else 1
    root = (side * 0.3, -figure.identity.height - 0.1)
    outside = [(side * (width + 0.5), -0.9), (side * (width + 0.75), 0.3), (side * (width + 0.4), 1.6)]
    inside = [(side * (width + 0.1), 0.4), (side * width * 0.8, -0.6)]
    figure.canvas.drawPath(smooth([root, *outside, *inside]), _falling(figure, -1, 1.6))


def _bun_back(figure: Figure) -> None:
    x, height = -figure.yaw * 0.5, figure.identity.height
    ball = figure.hair_ball((-0.15 - figure.yaw * 0.5, -height - 0.5), 0.8)
    figure.canvas.drawCircle(x, -height - 0.32, 0.5, ball)


def _pigtails_back(figure: Figure) -> None:
    width = figure.identity.width
    for side in (-1, 1):
        outside = [(side * width * 0.8, -0.7), (side * (width + 0.6), -0.6), (side * (width + 0.7), 0.6)]
        inside = [(side * (width + 0.4), 1.5), (side * (width + 0.15), 0.5)]
        figure.canvas.drawPath(smooth([*outside, *inside]), _falling(figure, -0.7, 1.5))


def _cap(figure: Figure) -> Any:
    return figure.hair_ball((-0.3, -figure.identity.height), 1.9)


def _bald(figure: Figure) -> None:
    shine = oval(-0.25 + figure.face_x * 0.3, -figure.identity.height * 0.68, 0.26, 0.13)
    figure.canvas.drawOval(shine, paint((255, 255, 255), 80, blur=0.08))


def _short(figure: Figure) -> None:
    width, x, top = figure.identity.width, figure.face_x, -figure.identity.height - 0.2
    brow = [(-width - 0.06, -0.05), (-width * 0.86, -0.55), (x - 0.3, -0.85), (x + 0.35, -0.8)]
    side = [(width * 0.86, -0.55), (width + 0.06, -0.05), (width + 0.12, -0.85)]
    crown = [(width * 0.55, top - 0.06), (-width * 0.55, top - 0.06), (-width - 0.12, -0.85)]
    figure.canvas.drawPath(smooth([*brow, *side, *crown]), _cap(figure))


def _side_parted(figure: Figure) -> None:
    width, x, top = figure.identity.width, figure.face_x, -figure.identity.height - 0.2
    part = figure.identity.part
    brow = [(-width - 0.06, 0), (-width * 0.88, -0.5), (part * -0.55 + x, -0.95), (x + part * 0.1, -0.62)]
    side = [(width * 0.9, -0.55), (width + 0.06, 0), (width + 0.14, -0.85)]
    crown = [(part * 0.5, top - 0.24), (-part * 0.5, top - 0.02), (-width - 0.12, -0.85)]
    figure.canvas.drawPath(smooth([*brow, *side, *crown]), _cap(figure))


def _spiky(figure: Figure) -> None:
    width, height, x = figure.identity.width, figure.identity.height, figure.face_x
    fringe = [(x * 0.5 - width * 0.7 + n * width * 0.28, -0.72 if n % 2 else -0.86) for n in range(6)]
    points = [(-width - 0.02, -0.15), (-width * 0.85, -0.6), *fringe]
    points += [(width * 0.85, -0.6), (width + 0.02, -0.15), (width + 0.1, -0.9)]
    for spike in range(9):
        across, up = width * 0.9 - spike * width * 1.8 / 8, spike % 2 == 0
        y = -height * 0.92 - (0.5 if up else 0.02) + abs(across) * 0.35
        points.append((across * (1.12 if up else 0.95), y))
    points.append((-width - 0.1, -0.9))
    figure.canvas.drawPath(polygon(points), _cap(figure))


def _mohawk(figure: Figure) -> None:
    x, top = figure.face_x * 0.4, -figure.identity.height
    right = [(x + 0.2, -0.72), (0.34, top - 0.1), (0.28, top - 0.75)]
    left = [(-0.28, top - 0.75), (-0.34, top - 0.1)]
    figure.canvas.drawPath(smooth([(x - 0.2, -0.72), *right, (0, top - 0.95), *left]), _cap(figure))


def _curls_front(figure: Figure) -> None:
    width, height = figure.identity.width, figure.identity.height
    for curl in range(11):
        turn = math.pi + 0.12 + curl * (math.pi - 0.24) / 10
        x, y = (width * 0.92) * math.cos(turn), -0.5 + (height * 0.62) * math.sin(turn)
        figure.canvas.drawCircle(x, y, 0.27, paint(mix(figure.hair, figure.hair_dark, (curl % 2) * 0.6)))
    for curl in range(7):
        turn = math.pi + 0.5 + curl * (math.pi - 1) / 6
        x, y = (width * 0.6) * math.cos(turn), -0.62 + (height * 0.5) * math.sin(turn)
        figure.canvas.drawCircle(x, y, 0.25, paint(mix(figure.hair, figure.hair_light, (curl % 2) * 0.5)))


def _long_front(figure: Figure) -> None:
    width, top = figure.identity.width, -figure.identity.height - 0.2
    side = 0.55 if figure.identity.style in {"bob", "long straight"} else -0.1
    crown = [(width * 0.55, top - 0.08), (-width * 0.55, top - 0.08), (-width - 0.22, -0.8)]
    right = [(width + 0.22, -0.8), *crown]
    front = _fringe(figure, side) if figure.identity.fringe else _parted(figure, side)
    figure.canvas.drawPath(smooth([*front, *right]), _cap(figure))


def _fringe(figure: Figure, side: float) -> list[Point]:
    width, x = figure.identity.width, figure.face_x
    left = [(-width - 0.1, side), (-width * 0.82, -0.35), (x - 0.45, -0.5)]
    return [*left, (x, -0.44), (x + 0.45, -0.5), (width * 0.82, -0.35), (width + 0.1, side)]


def _parted(figure: Figure, side: float) -> list[Point]:
    width, x, part = figure.identity.width, figure.face_x * 0.7, figure.identity.part
    left = [(-width - 0.12, side), (-width * 0.8, -0.3), (x - part * 0.1 - 0.45, -0.74)]
    right = [(x - part * 0.1 + 0.5, -0.74), (width * 0.8, -0.3), (width + 0.12, side)]
    return [*left, (x + part * 0.25, -1.1), *right]


_BACK: dict[str, Callable[[Figure], None]] = {
    "long straight": _long_straight_back,
    "bob": _bob_back,
    "afro": _afro_back,
    "curly": _curly_back,
    "ponytail": _ponytail_back,
    "bun": _bun_back,
    "pigtails": _pigtails_back,
}
_FRONT: dict[str, Callable[[Figure], None]] = {
    "bald": _bald,
    "short": _short,
    "side-parted": _side_parted,
    "spiky": _spiky,
    "mohawk": _mohawk,
    "afro": _curls_front,
    "curly": _curls_front,
}
