"""The few skia calls that everything is drawn with. Colours are red, green, blue from 0 to 255."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import skia

from scripts.pocket.world import Colour

Point = tuple[float, float]
SIZE = 128  # edge of a picture in its own units; a picture of more pixels is the same drawing, scaled
WHITE: Colour = (255, 255, 255)
FULL = skia.Rect.MakeWH(SIZE, SIZE)


def colour(rgb: Colour, alpha: float = 255) -> int:
    """Return skia's colour."""
    red, green, blue = (int(max(0, min(255, part))) for part in rgb)
    return int(skia.Color(red, green, blue, int(alpha)))


def times(rgb: Colour, factor: float) -> Colour:
    """Make a colour darker or lighter."""
    red, green, blue = rgb
    return min(255, red * factor), min(255, green * factor), min(255, blue * factor)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Blend two colours; share 0 is the first."""
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def paint(rgb: Colour, alpha: float = 255, *, blur: float = 0, stroke: float = 0, mode: Any = None) -> Any:
    """Return a paint of one colour that fills, or strokes a line of this width."""
    made = skia.Paint(AntiAlias=True)
    made.setColor(colour(rgb, alpha))
    if blur:
        made.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    if stroke:
        made.setStyle(skia.Paint.kStroke_Style)
        made.setStrokeWidth(stroke)
        made.setStrokeCap(skia.Paint.kRound_Cap)
        made.setStrokeJoin(skia.Paint.kRound_Join)
    if mode is not None:
        made.setBlendMode(mode)
    return made


def shaded(shader: Any, mode: Any = None) -> Any:
    """Return a paint that fills with a gradient."""
    made = skia.Paint(AntiAlias=True)
    made.setShader(shader)
    made.setAlpha(255)
    if mode is not None:
        made.setBlendMode(mode)
    return made


def linear(start: Point, end: Point, colours: Sequence[int]) -> Any:
    """Return a gradient along a line."""
    return skia.GradientShader.MakeLinear([skia.Point(*start), skia.Point(*end)], list(colours), None)


def radial(centre: Point, radius: float, colours: Sequence[int], stops: Sequence[float] | None = None) -> Any:
    """Return a gradient from a centre outwards."""
    return skia.GradientShader.MakeRadial(skia.Point(*centre), radius, list(colours), stops and list(stops))


def polygon(points: Sequence[Point]) -> Any:
    """Return a closed path with corners."""
    path = skia.Path()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    path.close()
    return path


def smooth(points: Sequence[Point]) -> Any:
    """Return a closed path through the middles between the points, without corners."""
    path = skia.Path()
    path.moveTo(*_middle(points[-1], points[0]))
    for index, point in enumerate(points):
        path.quadTo(*point, *_middle(point, points[(index + 1) % len(points)]))
    path.close()
    return path


def curve(start: Point, *bends: tuple[float, float, float, float]) -> Any:
    """Return an open path of quadratic curves; each bend is its control point and its end."""
    path = skia.Path()
    path.moveTo(*start)
    for bend in bends:
        path.quadTo(*bend)
    return path


def oval(x: float, y: float, half_width: float, half_height: float) -> Any:
    """Return the rectangle around an oval."""
    return skia.Rect.MakeLTRB(x - half_width, y - half_height, x + half_width, y + half_height)


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
