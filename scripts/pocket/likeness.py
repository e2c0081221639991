"""Does a LoRA bring a character back, and only when its trigger word is said? Measured with the app's face embedder."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.pocket.adherence import Adherence, check
from scripts.pocket.captions import full_caption
from scripts.pocket.classifier import Classifier
from scripts.pocket.dataset import strangers
from scripts.pocket.drawing import draw
from scripts.pocket.engine import Studio
from scripts.pocket.faces import analyzer, the_one_face
from scripts.pocket.sample import SCALE
from scripts.pocket.world import Identity, Shot, random_identity, random_shot

CHARACTERS_SEED, SHOTS_SEED = 920_000, 930_000
TRIGGER, NOBODY = "ohwx person", "a person"
TRAINED, HELD_OUT = 12, 4  # drawings of a character
Embedding = tuple[float, ...]


@dataclass
class Likeness:
    """One entry a character: cosines of generated pictures to the held-out drawings, and what they can reach."""

    gains: list[list[float]] = field(default_factory=list)  # with the trigger word minus without, same prompt and seed
    triggered: list[list[float]] = field(default_factory=list)
    shares: list[list[float]] = field(default_factory=list)  # of what the character's drawings score against each other
    seconds: list[list[float]] = field(default_factory=list)
    untriggered: list[Adherence] = field(default_factory=list)


def compare(
    studio: Studio, classifier: Classifier, work: Path, characters: int, size: tuple[int, int], preset: str
) -> Likeness:
    """Train and test some characters; ``size`` is how many prompts, and how many pictures of each."""
    result = Likeness()
    for number in range(characters):
        rng = random.Random(CHARACTERS_SEED + number)
        identity = random_identity(rng)
        drawn = _drawings(identity, rng, work / f"character-{number}")
        lora, seconds = studio.train([(path, text) for path, text, _ in drawn[:TRAINED]], TRIGGER, preset)
        own = [embedding for _, _, embedding in drawn[TRAINED:]]
        reach = float(np.mean([_cosine(one, [other]) for one, other in itertools.combinations(own, 2)]))
        pairs = _generated(studio, lora, own, size)
        said = [cosine for cosine, _ in pairs if cosine is not None]
        result.seconds.append([seconds])
        result.triggered.append(said)
        result.shares.append([cosine / reach for cosine in said])
        result.gains.append([one - other for one, other in pairs if one is not None and other is not None])
        result.untriggered.append(check(studio, classifier, *size, lora))
        print(f"character {number + 1}: trained in {seconds:.0f} s, {len(said)} faces found", flush=True)
    return result


def _drawings(identity: Identity, rng: random.Random, folder: Path) -> list[tuple[Path, str, Embedding]]:
    """Draw a character's pictures, with captions and face embeddings; shots without a clear face are drawn anew."""
    folder.mkdir(parents=True, exist_ok=True)
    faces, drawn = analyzer(), list[tuple[Path, str, Embedding]]()
    while len(drawn) < TRAINED + HELD_OUT:
        shot = random_shot(rng, identity)
        path = folder / f"{len(drawn):02d}.png"
        Image.fromarray(draw(identity, shot, SCALE)).save(path)
        face = the_one_face(faces, path)
        if face:
            drawn.append((path, full_caption(shot, TRIGGER), face.embedding))
    return drawn


def _generated(
    studio: Studio, lora: Path, own: list[Embedding], size: tuple[int, int]
) -> list[tuple[float | None, float | None]]:
    """Return cosines with and without the trigger word; None where no face, or more than one, was found."""
    prompts, seeds = size
    faces, pairs = analyzer(), list[tuple[float | None, float | None]]()
    for shot in _shots(prompts):
        found = []
        for subject in (TRIGGER, NOBODY):
            pictures = studio.pictures(full_caption(shot, subject), 1, seeds, lora)
            seen = [the_one_face(faces, path) for path in pictures]
            found.append([_cosine(face.embedding, own) if face else None for face in seen])
        pairs += list(zip(*found, strict=True))
    return pairs


def _shots(count: int) -> list[Shot]:
    return [drawing.shot for drawing in strangers(SHOTS_SEED, count)]


def _cosine(embedding: Embedding, others: list[Embedding]) -> float:
    return float(np.mean(np.asarray(others) @ np.asarray(embedding)))
