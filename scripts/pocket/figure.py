"""The measures of one person in one shot, from which body, face and hair are drawn.

The head's centre is (0, 0), half its width about 1; x grows to the right, y down.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from scripts.pocket.strokes import WHITE, colour, mix, radial, shaded, times
from scripts.pocket.world import HAIR, SKIN, Colour, Identity, Shot

EYE_Y = -0.08
_FRAMING = {"close-up": (43, 66), "headshot": (35, 62), "portrait": (28, 58)}  # head size and height, in pixels


@dataclass(frozen=True)
class Figure:
    """A canvas, who and how, and how far the head is turned: -1 to the left, 1 to the right."""

    canvas: Any
    identity: Identity
    shot: Shot
    yaw: float

    @property
    def woman(self) -> bool:
        """True for a woman."""
        return self.identity.gender == "woman"

    @property
    def skin(self) -> Colour:
        """Colour of the skin."""
        return SKIN[self.identity.skin]

    @property
    def hair(self) -> Colour:
        """Colour of the hair."""
        return HAIR[self.identity.hair]

    @property
    def hair_dark(self) -> Colour:
        """Colour of the hair in the shade."""
        return times(self.hair, 0.6)

    @property
    def hair_light(self) -> Colour:
        """Colour of the hair in the light."""
        return mix(self.hair, WHITE, 0.22)

    @property
    def face_x(self) -> float:
        """Where the middle of the face is, since the head is turned."""
        return self.yaw * 0.36

    def eye_x(self, side: int) -> float:
        """Centre of the eye of a side: -1 is left in the picture."""
        return self.face_x + side * (0.42 * self.identity.eye_distance) * (1 - 0.22 * abs(self.yaw))

    def far(self, side: int, share: float) -> float:
        """Shrink what is on the side that the head is turned to."""
        return 1 - share * abs(self.yaw) if side * self.yaw > 0 else 1

    def hair_ball(self, centre: tuple[float, float], radius: float) -> Any:
        """Return a paint with which hair looks round."""
        tones = [colour(self.hair_light), colour(self.hair), colour(self.hair_dark)]
        return shaded(radial(centre, radius, tones))


def placed(canvas: Any, identity: Identity, shot: Shot, rng: random.Random) -> Figure:
    """Move the canvas to the person's place in the picture."""
    turned = {
        "facing forward": rng.uniform(-0.12, 0.12),
        "looking left": -rng.uniform(0.55, 0.85),
        "looking right": rng.uniform(0.55, 0.85),
    }
    size, height = _FRAMING[shot.pose]
    zoom = size * rng.uniform(0.95, 1.05)
    canvas.translate(64 + shot.dx, height + shot.dy)
    canvas.scale(zoom, zoom)
    return Figure(canvas, identity, shot, turned[shot.facing])
