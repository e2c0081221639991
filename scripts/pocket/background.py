"""Paints the twelve settings, before any light falls on them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import skia

from scripts.pocket.strokes import SIZE, colour, linear, mix, paint, polygon, radial, shaded, times
from scripts.pocket.world import Colour

SOFT, CLEAR, SHARP = 2.2, 1.3, 1.2  # how far out of focus, in pixels


class Scene:
    """A canvas and the picture's own randomness."""

    def __init__(self, canvas: Any, rng: random.Random) -> None:
        self.canvas = canvas
        self.rng = rng
        self.between = rng.uniform

    def fill(self, above: Colour, below: Colour, top: float = 0, bottom: float = SIZE) -> None:
        """Fill a band over the whole width."""
        shader = linear((0, top), (0, bottom), [colour(above), colour(below)])
        self.canvas.drawRect(skia.Rect.MakeLTRB(0, top, SIZE, bottom), shaded(shader))

    def box(self, corner: tuple[float, float], size: tuple[float, float], rgb: Colour, alpha: float = 255) -> None:
        """Draw an upright rectangle."""
        self.canvas.drawRect(skia.Rect.MakeXYWH(*corner, *size), paint(rgb, alpha))

    def dot(self, centre: tuple[float, float], radius: float, rgb: Colour, alpha: float = 255) -> None:
        """Draw a disc."""
        self.canvas.drawCircle(*centre, radius, paint(rgb, alpha))


def draw_setting(canvas: Any, setting: str, rng: random.Random, scale: int) -> None:
    """Paint a setting over the whole canvas, a little out of focus."""
    surface = skia.Surface(SIZE * scale, SIZE * scale)
    sharp = surface.getCanvas()
    sharp.scale(scale, scale)
    draw, blur = _SETTINGS[setting]
    draw(Scene(sharp, rng))
    blurred = skia.Paint()
    blurred.setImageFilter(skia.ImageFilters.Blur(blur * scale, blur * scale, skia.TileMode.kClamp))
    canvas.save()
    canvas.resetMatrix()
    canvas.drawImage(surface.makeImageSnapshot(), 0, 0, skia.SamplingOptions(), blurred)
    canvas.restore()


def _studio(scene: Scene) -> None:
    walls = [(205, 206, 210), (176, 184, 196), (214, 200, 186), (120, 126, 136), (190, 205, 200)]
    wall: Colour = scene.rng.choice(walls)
    lit = radial((64 + scene.between(-15, 15), 50), 110, [colour(times(wall, 1.12)), colour(times(wall, 0.62))])
    scene.canvas.drawPaint(shaded(lit))


def _park(scene: Scene) -> None:
    scene.fill((150, 200, 240), (214, 234, 244), 0, 60)
    scene.fill((120, 176, 84), (84, 140, 60), 58, SIZE)
    for _ in range(7):
        x, y, crown = scene.between(0, SIZE), scene.between(34, 60), scene.between(10, 22)
        scene.dot((x, y), crown, mix((60, 130, 60), (120, 170, 70), scene.rng.random()))
        scene.box((x - 2, y + crown * 0.6), (4, 26), (96, 70, 46))


def _garden(scene: Scene) -> None:
    _park(scene)
    petals = [(236, 90, 120), (250, 210, 80), (240, 240, 250), (200, 100, 220), (240, 130, 60)]
    for _ in range(46):
        centre = scene.between(0, SIZE), scene.between(52, SIZE)
        scene.dot(centre, scene.between(2, 4.5), scene.rng.choice(petals))


def _forest(scene: Scene) -> None:
    scene.fill((150, 180, 120), (50, 84, 46))
    for _ in range(16):
        x, width = scene.between(-4, SIZE), scene.between(4, 12)
        scene.box((x, 0), (width, SIZE), mix((58, 42, 30), (104, 84, 58), scene.rng.random()))
    for _ in range(40):
        centre = scene.between(0, SIZE), scene.between(0, 56)
        radius = scene.between(5, 13)
        scene.dot(centre, radius, mix((30, 80, 40), (110, 160, 70), scene.rng.random()), 190)
    scene.box((0, 104), (SIZE, 30), (64, 78, 40))


def _office(scene: Scene) -> None:
    scene.fill((226, 230, 234), (196, 200, 206))
    shift = scene.between(-20, 20)
    for window in range(4):
        x = shift + window * 40 - 10
        scene.box((x, 12), (32, 46), (170, 210, 236))
        scene.box((x + 15, 12), (2, 46), (240, 240, 240))
        scene.box((x, 34), (32, 2), (240, 240, 240))
    scene.box((0, 92), (SIZE, 40), (140, 108, 78))
    x = scene.between(0, 80)
    scene.box((x, 68), (34, 22), (44, 48, 56))
    scene.box((x + 2, 70), (30, 18), (90, 140, 200))
    scene.box((x + 14, 90), (6, 5), (60, 60, 60))


def _cafe(scene: Scene) -> None:
    scene.fill((120, 82, 56), (84, 54, 38))
    scene.box((0, 30 + scene.between(-3, 3)), (SIZE, 3), (60, 38, 26))
    scene.box((0, 58), (SIZE, 3), (60, 38, 26))
    cups = [(230, 220, 200), (200, 90, 60), (90, 130, 120), (240, 200, 110)]
    for _ in range(18):
        x, y = scene.between(0, SIZE), scene.rng.choice([24, 52])
        scene.box((x, y - 4), (4, 9), scene.rng.choice(cups))
    for _ in range(7):
        lamp = scene.between(0, SIZE), scene.between(2, 20)
        scene.dot(lamp, 9, (255, 210, 130), 70)
        scene.dot(lamp, 4, (255, 232, 180))
    scene.box((0, 98), (SIZE, 32), (158, 112, 72))


def _beach(scene: Scene) -> None:
    scene.fill((120, 190, 240), (200, 230, 246), 0, 56)
    scene.fill((40, 140, 190), (90, 190, 210), 54, 84)
    scene.fill((240, 220, 170), (220, 190, 136), 82, SIZE)
    for _ in range(6):
        corner = scene.between(0, SIZE), scene.between(58, 80)
        scene.box(corner, (scene.between(8, 24), 1.2), (230, 246, 250), 200)
    if scene.rng.random() < 0.6:
        x = scene.rng.choice([scene.between(4, 24), scene.between(104, 124)])
        scene.canvas.drawLine(x, 96, x + 6, 34, paint((120, 86, 54), stroke=4))
        for leaf in range(7):
            turn = leaf * 2 * math.pi / 7
            tip = x + 6 + 20 * math.cos(turn), 34 + 10 * math.sin(turn) + 4
            scene.canvas.drawLine(x + 6, 34, *tip, paint((50, 130, 60), stroke=4))


def _city_street(scene: Scene) -> None:
    scene.fill((180, 204, 226), (214, 222, 228))
    walls = [(120, 124, 136), (150, 120, 104), (96, 108, 130), (176, 166, 150), (84, 84, 96)]
    x = -6.0
    while x < SIZE:
        width, height = scene.between(16, 30), scene.between(40, 100)
        wall: Colour = scene.rng.choice(walls)
        scene.box((x, 104 - height), (width, height), wall)
        for window_y in range(int(108 - height), 100, 9):
            for window_x in range(int(x) + 3, int(x + width) - 4, 7):
                lit = scene.rng.random() < 0.35
                scene.box((window_x, window_y), (4, 5), (240, 220, 140) if lit else times(wall, 1.35))
        x += width
    scene.box((0, 102), (SIZE, 30), (84, 86, 92))


def _mountains(scene: Scene) -> None:
    scene.fill((110, 170, 230), (214, 230, 244))
    rows: list[Colour] = [(130, 146, 180), (98, 116, 146), (72, 100, 88)]
    for row, rock in enumerate(rows):
        x, foot = scene.between(-40, 0), 66 + row * 16
        while x < SIZE + 30:
            width, height = scene.between(40, 70), scene.between(36, 58) - row * 10
            top = x + width / 2, foot - height
            scene.canvas.drawPath(polygon([(x, foot + 30), top, (x + width, foot + 30)]), paint(rock))
            if row < 2:
                snow = [(x + width * 0.39, foot - height * 0.72), top, (x + width * 0.61, foot - height * 0.72)]
                scene.canvas.drawPath(polygon(snow), paint((246, 248, 252)))
            x += width * 0.55
    scene.fill((96, 130, 80), (70, 104, 60), 104, SIZE)


def _library(scene: Scene) -> None:
    scene.fill((92, 62, 42), (64, 42, 28))
    backs = [
        (160, 50, 44),
        (44, 84, 130),
        (60, 110, 70),
        (196, 160, 90),
        (120, 80, 120),
        (210, 200, 180),
        (90, 60, 40),
    ]
    for y in range(2, SIZE, 25):
        x = scene.between(-4, 0)
        while x < SIZE:
            width, height = scene.between(3, 8), scene.between(15, 21)
            scene.box((x, y + 22 - height), (width - 0.6, height), scene.rng.choice(backs))
            x += width
        scene.box((0, y + 22), (SIZE, 3), (120, 82, 52))


def _living_room(scene: Scene) -> None:
    wall: Colour = scene.rng.choice([(226, 214, 196), (206, 216, 210), (220, 204, 204), (196, 206, 220)])
    scene.fill(wall, times(wall, 0.88))
    x = scene.between(0, 90)
    scene.box((x, 10), (30, 24), (90, 64, 44))
    scene.box((x + 2, 12), (26, 20), scene.rng.choice([(120, 160, 190), (220, 160, 100), (110, 150, 110)]))
    sofa = scene.rng.choice([(70, 110, 130), (170, 90, 70), (110, 120, 90)])
    seat = skia.RRect.MakeRectXY(skia.Rect.MakeXYWH(-8, 78, SIZE + 16, 60), 14, 14)
    scene.canvas.drawRRect(seat, paint(sofa))
    lamp = scene.rng.choice([scene.between(4, 18), scene.between(108, 122)])
    scene.canvas.drawLine(lamp, 50, lamp, 90, paint((80, 70, 60), stroke=2))
    shade = [(lamp - 10, 50), (lamp - 6, 32), (lamp + 6, 32), (lamp + 10, 50)]
    scene.canvas.drawPath(polygon(shade), paint((255, 230, 170)))


def _snowy_field(scene: Scene) -> None:
    scene.fill((190, 208, 226), (226, 234, 242), 0, 70)
    scene.fill((244, 247, 252), (214, 224, 238), 66, SIZE)
    for _ in range(8):
        x, height = scene.between(0, SIZE), scene.between(20, 38)
        tree = polygon([(x - height * 0.3, 72), (x, 72 - height), (x + height * 0.3, 72)])
        scene.canvas.drawPath(tree, paint(mix((50, 90, 80), (220, 230, 236), scene.between(0, 0.5))))


_SETTINGS: dict[str, tuple[Callable[[Scene], None], float]] = {
    "a studio": (_studio, SOFT),
    "a park": (_park, SOFT),
    "an office": (_office, SOFT),
    "a cafe": (_cafe, SOFT),
    "a beach": (_beach, SOFT),
    "a forest": (_forest, SOFT),
    "a city street": (_city_street, CLEAR),
    "the mountains": (_mountains, SOFT),
    "a library": (_library, SHARP),
    "a living room": (_living_room, SOFT),
    "a garden": (_garden, CLEAR),
    "a snowy field": (_snowy_field, SOFT),
}
