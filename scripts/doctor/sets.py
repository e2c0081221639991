"""Clean sets of pictures: drawn people of the pocket model's world, and one person in photographs."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.plugins.protocols import FaceAnalyzer
from scripts.doctor.photographs import photographs
from scripts.pocket.captions import full_caption
from scripts.pocket.drawing import draw
from scripts.pocket.world import EXPRESSIONS, FACINGS, Identity, Shot, random_identity, random_shot

TRIGGER = "qzxva person"
SCALE = 4  # 512 px
CLEAR = 0.86
TRIES = 4
PICTURES = 12


@dataclass
class Entry:
    """One picture and its caption; seeding changes both."""

    name: str
    image: Image.Image
    caption: str
    defects: set[str] = field(default_factory=set)


@dataclass
class Set:
    """Pictures of one person, and what was done to them."""

    name: str
    entries: list[Entry]
    trigger: str = TRIGGER
    consent: str | None = "fictional"
    base_model: str = "pocket"
    seeded: list[tuple[str, str]] = field(default_factory=list)  # kind, picture ('' for the whole set)


def drawn(number: int, analyzer: FaceAnalyzer, folder: Path, count: int = PICTURES, **fixed: Any) -> Set:
    """Draw a person in ``count`` shots; ``fixed`` holds what is the same in all of them.

    A person whose face the analyser often misses, for a full beard or dark glasses, is passed over for another.
    """
    rng = random.Random(number)
    names = [f"drawn-{number}-{n:02d}" for n in range(count)]
    while True:
        identity = random_identity(rng)
        entries: list[Entry] = []
        for n, name in enumerate(names):
            entry = _entry(identity, name, rng, analyzer, folder, fixed | _varied(n, fixed))
            if entry is None:
                break
            entries.append(entry)
        if len(entries) == count:
            return Set(f"drawn-{number}", entries)


def _varied(n: int, fixed: dict[str, Any]) -> dict[str, str]:
    """Spread facing and expression over a set, as somebody who chooses pictures would."""
    varied = {"facing": FACINGS[n % len(FACINGS)], "expression": EXPRESSIONS[n % len(EXPRESSIONS)]}
    return {key: value for key, value in varied.items() if key not in fixed}


def _entry(
    identity: Identity, name: str, rng: random.Random, analyzer: FaceAnalyzer, folder: Path, fixed: dict[str, Any]
) -> Entry | None:
    """Draw a shot in which the face is well seen, as the sample character was drawn; None when that fails."""
    path = folder / f"{name}.png"
    for _ in range(TRIES):
        shot: Shot = dataclasses.replace(random_shot(rng, identity), **fixed)
        image = Image.fromarray(draw(identity, shot, SCALE))
        image.save(path)
        faces = analyzer.faces(path)
        if len(faces) == 1 and faces[0].score >= CLEAR:
            return Entry(name, image, full_caption(shot, TRIGGER))
    return None


PLACES = ("on a stage", "in an office", "at a desk", "outdoors", "in front of a flag", "in a hall")
# How much of what is beside, above and below the face a crop takes in, in sizes of the face.
VIEWS = {"close view": (0.3, 0.3, 0.35), "bust": (0.6, 0.45, 0.8), "wide view": (1.8, 0.9, 2.8)}


def photographed(analyzer: FaceAnalyzer) -> Set:
    """Return one person in four photographs, each in three crops that frame him differently."""
    entries: list[Entry] = []
    for photo in (p for p in photographs() if p.name in {"obama-1", "obama-2", "obama-3", "obama-4"}):
        (face,) = analyzer.faces(photo.path)
        image = Image.open(photo.path).convert("RGB")
        for view, (beside, above, below) in VIEWS.items():
            x, y, width, height = face.box
            left, top = max(0, int(x - beside * width)), max(0, int(y - above * height))
            right, bottom = int(x + (1 + beside) * width), int(y + (1 + below) * height)
            part = image.crop((left, top, min(image.width, right), min(image.height, bottom)))
            caption = f"a photo of {TRIGGER} {PLACES[len(entries) % len(PLACES)]}, {view}"
            entries.append(Entry(f"{photo.name}-{view.split()[0]}", part, caption))
    return Set("photographed", entries, consent="with_permission")
