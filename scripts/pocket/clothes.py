"""Neck, shoulders and the eight garments."""

from __future__ import annotations

from collections.abc import Callable

from scripts.pocket.figure import Figure
from scripts.pocket.strokes import WHITE, colour, linear, paint, polygon, shaded, smooth, times
from scripts.pocket.world import CLOTH, Colour


def draw_body(figure: Figure) -> None:
    """Draw all that is below the head."""
    canvas, skin = figure.canvas, figure.skin
    neck = 0.42 if figure.woman else 0.5
    shadow = linear((0, 0.9), (0, 2.1), [colour(times(skin, 0.62)), colour(times(skin, 0.92))])
    right = [(neck, 0.5), (neck, 1.4), (neck * 1.7, 1.9)]
    left = [(-neck * 1.7, 1.9), (-neck, 1.4)]
    canvas.drawPath(smooth([(-neck, 0.5), *right, (0, 2.3), *left]), shaded(shadow))
    cloth, shoulder = CLOTH[figure.shot.cloth], _shoulder(figure)
    folds = linear(
        (-shoulder, 1.5), (shoulder, 3.6), [colour(times(cloth, 1.12)), colour(cloth), colour(_dark(figure))]
    )
    canvas.drawPath(smooth(_outline(shoulder)), shaded(folds))
    _GARMENTS[figure.shot.garment](figure)


def _shoulder(figure: Figure) -> float:
    return 1.9 if figure.woman else 2.25


def _dark(figure: Figure) -> Colour:
    return times(CLOTH[figure.shot.cloth], 0.62)


def _outline(shoulder: float) -> list[tuple[float, float]]:
    wide = shoulder + 0.25, 2.9
    right = [(0.55, 1.25), (0.75, 1.75), (shoulder, 2.05), wide, (shoulder + 0.2, 6.5)]
    left = [(-shoulder - 0.2, 6.5), (-wide[0], 2.9), (-shoulder, 2.05), (-0.75, 1.75)]
    return [(-0.55, 1.25), *right, *left]


def _neckline(figure: Figure, depth: float, width: float) -> None:
    low = 1.3 + depth * 0.7
    cut = [(-width, 1.3), (width, 1.3), (width * 0.8, low), (0, 1.3 + depth), (-width * 0.8, low)]
    figure.canvas.drawPath(smooth(cut), paint(times(figure.skin, 0.86)))


def _t_shirt(figure: Figure) -> None:
    _neckline(figure, 0.75, 0.75)


def _dress(figure: Figure) -> None:
    _neckline(figure, 1.25, 1.1)


def _sweater(figure: Figure) -> None:
    _neckline(figure, 0.6, 0.7)
    dark, shoulder = _dark(figure), _shoulder(figure)
    collar = [(-0.8, 1.35), (0.8, 1.35), (0.6, 1.9), (0, 2.12), (-0.6, 1.9)]
    figure.canvas.drawPath(smooth(collar), paint(dark, stroke=0.16))
    for row in range(5):
        y = 2.3 + row * 0.5
        figure.canvas.drawLine(-shoulder, y, shoulder, y, paint(dark, 120, stroke=0.06))


def _turtleneck(figure: Figure) -> None:
    collar = [(-0.62, 1.0), (0.62, 1.0), (0.8, 1.7), (0, 1.95), (-0.8, 1.7)]
    tones = [colour(times(CLOTH[figure.shot.cloth], 1.1)), colour(_dark(figure))]
    figure.canvas.drawPath(smooth(collar), shaded(linear((-0.6, 0), (0.6, 0), tones)))


def _hoodie(figure: Figure) -> None:
    hood = [(-1.15, 1.1), (1.15, 1.1), (1.2, 1.8), (0, 2.35), (-1.2, 1.8)]
    figure.canvas.drawPath(smooth(hood), paint(_dark(figure)))
    _neckline(figure, 0.7, 0.62)
    for side in (-1, 1):
        figure.canvas.drawLine(side * 0.25, 2.1, side * 0.28, 3.1, paint((240, 240, 240), stroke=0.08))


def _shirt_and_tie(figure: Figure) -> None:
    _shirt(figure, (244, 244, 244))
    _tie(figure)
    for side in (-1, 1):
        collar = [(side * 0.6, 1.3), (side * 0.62, 1.95), (0, 1.8)]
        figure.canvas.drawPath(polygon(collar), paint(WHITE))


def _suit(figure: Figure) -> None:
    _shirt(figure, (244, 244, 244))
    _tie(figure)
    _lapels(figure)


def _jacket(figure: Figure) -> None:
    _shirt(figure, (214, 206, 196))
    _lapels(figure)


def _shirt(figure: Figure, rgb: Colour) -> None:
    front = [(-0.62, 1.35), (0.62, 1.35), (0.42, 2.3), (0, 4.6), (-0.42, 2.3)]
    figure.canvas.drawPath(polygon(front), paint(rgb))


def _tie(figure: Figure) -> None:
    tie = [(-0.14, 1.75), (0.14, 1.75), (0.24, 3.6), (0, 4.0), (-0.24, 3.6)]
    reddish = figure.shot.cloth in {"red", "pink"}
    figure.canvas.drawPath(polygon(tie), paint((30, 40, 90) if reddish else (150, 30, 40)))


def _lapels(figure: Figure) -> None:
    for side in (-1, 1):
        lapel = [(side * 0.6, 1.3), (side * 0.95, 2.2), (side * 0.62, 2.35), (0, 4.7), (side * 0.35, 2.6)]
        figure.canvas.drawPath(polygon(lapel), paint(_dark(figure)))


_GARMENTS: dict[str, Callable[[Figure], None]] = {
    "t-shirt": _t_shirt,
    "shirt and tie": _shirt_and_tie,
    "hoodie": _hoodie,
    "sweater": _sweater,
    "suit": _suit,
    "turtleneck": _turtleneck,
    "dress": _dress,
    "jacket": _jacket,
}
