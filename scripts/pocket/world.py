"""What can be drawn: who a person is (identity), and where and how they are shown (shot). Draws nothing itself.

The order of the random draws is part of the weights' recipe: the same seed gives the same people.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

Colour = tuple[float, float, float]

SKIN: dict[str, Colour] = {
    "pale": (250, 224, 206),
    "tan": (214, 164, 118),
    "brown": (158, 104, 68),
    "dark": (98, 62, 44),
}
HAIR: dict[str, Colour] = {
    "black": (32, 26, 28),
    "brown": (92, 58, 36),
    "blonde": (226, 188, 108),
    "red": (178, 68, 28),
    "grey": (150, 150, 154),
    "white": (238, 236, 232),
    "blue": (50, 96, 200),
    "pink": (232, 110, 170),
    "green": (60, 150, 90),
    "purple": (120, 64, 170),
}
EYES: dict[str, Colour] = {
    "brown": (92, 56, 30),
    "blue": (70, 130, 200),
    "green": (80, 150, 90),
    "grey": (130, 140, 150),
    "hazel": (140, 104, 50),
}
CLOTH: dict[str, Colour] = {
    "red": (196, 44, 48),
    "blue": (46, 92, 180),
    "green": (50, 130, 80),
    "black": (38, 38, 44),
    "white": (236, 236, 234),
    "yellow": (236, 196, 60),
    "purple": (118, 70, 160),
    "orange": (232, 126, 44),
    "grey": (130, 134, 140),
    "pink": (236, 150, 180),
    "navy": (28, 40, 84),
    "teal": (32, 140, 146),
    "brown": (118, 80, 52),
}
LIPS: list[Colour] = [(200, 80, 90), (178, 60, 70), (214, 110, 110)]
STYLES = {
    "woman": ["long straight", "bob", "ponytail", "bun", "curly", "short", "pigtails"],
    "man": ["short", "curly", "bald", "spiky", "side-parted", "afro", "mohawk"],
}
BEARDS = ["", "full beard", "moustache", "stubble", "goatee"]
GLASSES = ["", "round glasses", "square glasses", "sunglasses"]
AGES = ["young", "", "elderly"]
SETTINGS = [
    "a studio",
    "a park",
    "an office",
    "a cafe",
    "a beach",
    "a forest",
    "a city street",
    "the mountains",
    "a library",
    "a living room",
    "a garden",
    "a snowy field",
]
LIGHTS = [
    "natural light",
    "studio lighting",
    "golden hour light",
    "night lighting",
    "dramatic lighting",
    "neon lighting",
]
POSES = ["close-up", "headshot", "portrait"]
FACINGS = ["facing forward", "looking left", "looking right"]
EXPRESSIONS = ["neutral expression", "smiling", "laughing", "surprised"]
GARMENTS = ["t-shirt", "shirt and tie", "hoodie", "sweater", "suit", "turtleneck", "dress", "jacket"]

VOCABULARY: dict[str, list[str]] = {
    "hair": list(HAIR),
    "style": sorted({*STYLES["woman"], *STYLES["man"]}),
    "skin": list(SKIN),
    "gender": ["man", "woman"],
    "glasses": GLASSES,
    "beard": BEARDS,
    "setting": SETTINGS,
    "light": LIGHTS,
    "pose": POSES,
    "expression": EXPRESSIONS,
    "facing": FACINGS,
    "garment": GARMENTS,
    "cloth": list(CLOTH),
    "age": AGES,
}


@dataclass(frozen=True)
class Identity:
    """Who: what stays the same from picture to picture. Numbers are in units of half a head's width, or factors."""

    gender: str
    age: str
    skin: str
    hair: str
    style: str
    eyes: str
    width: float
    height: float
    jaw: float
    eye_size: float
    eye_distance: float
    brow: float
    nose: float
    mouth: float
    ears: float
    beard: str
    glasses: str
    freckles: bool
    lips: Colour | None
    fringe: bool
    part: int


@dataclass(frozen=True)
class Shot:
    """Where and how: what changes. ``tilt`` is in degrees, ``dx`` and ``dy`` in pixels of a 128 px picture."""

    setting: str
    light: str
    pose: str
    facing: str
    expression: str
    garment: str
    cloth: str
    tilt: float
    dx: float
    dy: float
    seed: int


def random_identity(rng: random.Random) -> Identity:
    """Make up a person."""
    gender = rng.choice(["man", "woman"])
    age = rng.choices(AGES, [3, 5, 2])[0]
    skin = rng.choice(list(SKIN))
    hair = rng.choices(list(HAIR), [5, 5, 5, 4, 2, 2, 1.5, 1.5, 1.5, 1.5])[0]
    if age == "elderly":
        hair = rng.choice(["grey", "white", "grey"])
    man = gender == "man"
    return Identity(
        gender=gender,
        age=age,
        skin=skin,
        hair=hair,
        style=rng.choice(STYLES[gender]),
        eyes=rng.choice(list(EYES)),
        width=rng.uniform(0.86, 1.08),
        height=rng.uniform(1.2, 1.4),
        jaw=rng.uniform(0.1, 1) if man else rng.uniform(-0.5, 0.4),
        eye_size=rng.uniform(0.85, 1.2),
        eye_distance=rng.uniform(0.9, 1.1),
        brow=rng.uniform(0.6, 1.6) if man else rng.uniform(0.4, 1),
        nose=rng.uniform(0.8, 1.3),
        mouth=rng.uniform(0.8, 1.2),
        ears=rng.uniform(0.8, 1.2),
        beard=rng.choices(BEARDS, [5, 2, 1.2, 1.2, 1])[0] if man else "",
        glasses=rng.choices(GLASSES, [6, 1.5, 1.5, 0.7])[0],
        freckles=rng.random() < 0.12,
        lips=None if man else rng.choice(LIPS),
        fringe=rng.random() < 0.5,
        part=rng.choice([-1, 1]),
    )


def random_shot(rng: random.Random, identity: Identity) -> Shot:
    """Make up a picture of this person."""
    shot = Shot(
        setting=rng.choice(SETTINGS),
        light=rng.choices(LIGHTS, [5, 2, 2, 2, 1.5, 1.5])[0],
        pose=rng.choice(POSES),
        facing=rng.choices(FACINGS, [2, 1, 1])[0],
        expression=rng.choice(EXPRESSIONS),
        garment=rng.choice([name for name in GARMENTS if identity.gender == "woman" or name != "dress"]),
        cloth=rng.choice(list(CLOTH)),
        tilt=rng.gauss(0, 4),
        dx=rng.gauss(0, 3),
        dy=rng.gauss(0, 2),
        seed=rng.randrange(1 << 30),
    )
    rng.choice(
        list(CLOTH)
    )  # once a hat's colour; without this draw, seeds would give other people than the weights saw
    return shot


def attributes(identity: Identity, shot: Shot) -> dict[str, str]:
    """Return the value of each attribute in VOCABULARY."""
    every = asdict(identity) | asdict(shot)
    return {name: every[name] for name in VOCABULARY}


def as_json(identity: Identity, shot: Shot, name: str = "") -> dict[str, Any]:
    """Return one drawing's record; ``name`` is the rare word of a named identity."""
    return {"identity": asdict(identity), "shot": asdict(shot), "name": name}


def from_json(record: dict[str, Any]) -> tuple[Identity, Shot]:
    """Read what as_json made."""
    lips = record["identity"]["lips"]
    identity = Identity(**{**record["identity"], "lips": tuple(lips) if lips else None})
    return identity, Shot(**record["shot"])
