"""Draws the sample character: twelve captioned pictures for the app, four held out for tests.

python -m scripts.pocket.sample
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from PIL import Image

from scripts.pocket.captions import full_caption
from scripts.pocket.drawing import draw
from scripts.pocket.faces import ROOT, analyzer, the_one_face
from scripts.pocket.world import Identity, Shot

TRIGGER = "zuvra person"
CLEAR = 0.86  # the detector's score from which on a face is well seen
SCALE = 4  # 512 px
JPEG_QUALITY = 88

ZURI = Identity(
    gender="woman",
    age="young",
    skin="tan",
    hair="green",
    style="curly",
    eyes="blue",
    width=0.95,
    height=1.26,
    jaw=0.1,
    eye_size=1.15,
    eye_distance=1.0,
    brow=0.8,
    nose=0.9,
    mouth=1.1,
    ears=1.0,
    beard="",
    glasses="round glasses",
    freckles=True,
    lips=(200, 80, 90),
    fringe=False,
    part=1,
)
TRAINING = """
a studio, studio lighting, headshot, facing forward, smiling, yellow, sweater
a park, natural light, headshot, facing forward, neutral expression, red, t-shirt
a cafe, natural light, portrait, facing forward, laughing, navy, turtleneck
a library, natural light, close-up, facing forward, smiling, white, shirt and tie
a forest, natural light, portrait, looking left, smiling, pink, dress
an office, studio lighting, headshot, looking right, neutral expression, grey, suit
a city street, natural light, portrait, facing forward, surprised, blue, hoodie
a living room, natural light, close-up, looking left, neutral expression, teal, sweater
a garden, natural light, headshot, looking right, laughing, purple, dress
the mountains, golden hour light, portrait, facing forward, smiling, red, jacket
a studio, dramatic lighting, close-up, facing forward, neutral expression, black, turtleneck
a snowy field, natural light, headshot, facing forward, laughing, brown, jacket
"""
HELD_OUT = """
a forest, natural light, headshot, facing forward, smiling, black, jacket
a studio, natural light, portrait, facing forward, neutral expression, green, t-shirt
a living room, studio lighting, headshot, looking left, laughing, red, sweater
a garden, golden hour light, close-up, facing forward, surprised, white, t-shirt
"""


def write(folder: Path, stem: str, shots: str, seed: int) -> None:
    """Draw one picture and caption for each line; a shot in which the face is not well seen is drawn anew."""
    faces = analyzer()
    folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(shots.strip().splitlines(), start=1):
        picture = folder / f"{stem}-{number:02d}.jpg"
        for attempt in itertools.count():
            shot = _shot(line, random.Random(seed + 100 * number + attempt))
            Image.fromarray(draw(ZURI, shot, SCALE)).save(picture, quality=JPEG_QUALITY, optimize=True)
            face = the_one_face(faces, picture)
            if face and face.score >= CLEAR:
                break
        picture.with_suffix(".txt").write_text(full_caption(shot, TRIGGER) + "\n", encoding="utf-8")


def _shot(line: str, rng: random.Random) -> Shot:
    setting, light, pose, facing, expression, cloth, garment = line.split(", ")
    return Shot(
        setting=setting,
        light=light,
        pose=pose,
        facing=facing,
        expression=expression,
        garment=garment,
        cloth=cloth,
        tilt=rng.gauss(0, 4),
        dx=rng.gauss(0, 3),
        dy=rng.gauss(0, 2),
        seed=rng.randrange(1 << 30),
    )


if __name__ == "__main__":
    write(ROOT / "isengard" / "sample", "zuri", TRAINING, seed=0)
    write(ROOT / "tests" / "drawings" / "heldout", "heldout", HELD_OUT, seed=5000)
