"""Does a LoRA bring a character back, and only when its trigger word is said? Measured with the app's face embedder."""

from __future__ import annotations

import itertools
import random
import shutil
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
from scripts.pocket.world import Identity, random_identity, random_shot

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
    faces: list[list[float]] = field(default_factory=list)  # pictures with the trigger word that have exactly one
    seconds: list[list[float]] = field(default_factory=list)
    untriggered: list[Adherence] = field(default_factory=list)


def compare(
    studio: Studio, classifier: Classifier, work: Path, characters: int, size: tuple[int, int], preset: str
) -> Likeness:
    """Train and test some characters; ``size`` is how many prompts, and how many pictures of each."""
    result = Likeness()
    for number in range(characters):
        rng = random.Random(CHARACTERS_SEED + number)
        identity, folder = random_identity(rng), work / f"character-{number}"
        drawn = drawings(identity, rng, folder)
        lora, seconds = studio.train([(path, text) for path, text, _ in drawn[:TRAINED]], TRIGGER, preset)
        shutil.copyfile(lora, folder / "lora.safetensors")
        own = [embedding for _, _, embedding in drawn[TRAINED:]]
        reach = float(np.mean([_cosine(one, [other]) for one, other in itertools.combinations(own, 2)]))
        said, unsaid = (cosines(studio, lora, own, prompts_of(subject, size), folder) for subject in (TRIGGER, NOBODY))
        found = [cosine for cosine in said if cosine is not None]
        result.seconds.append([seconds])
        result.triggered.append(found)
        result.shares.append([cosine / reach for cosine in found])
        result.faces.append([float(cosine is not None) for cosine in said])
        pairs = zip(said, unsaid, strict=True)
        result.gains.append([one - other for one, other in pairs if one is not None and other is not None])
        result.untriggered.append(check(studio, classifier, *size, lora))
        print(f"character {number + 1}: {seconds:.0f} s, cosine {np.mean(found):.2f} of {reach:.2f}", flush=True)
    return result


def drawings(identity: Identity, rng: random.Random, folder: Path) -> list[tuple[Path, str, Embedding]]:
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
            path.with_suffix(".txt").write_text(full_caption(shot, TRIGGER), encoding="utf-8")
    return drawn


def prompts_of(subject: str, size: tuple[int, int]) -> list[str]:
    """Return full prompts of people in neither training set, with the subject in their place."""
    prompts, seeds = size
    shots = [drawing.shot for drawing in strangers(SHOTS_SEED, prompts)]
    return [full_caption(shot, subject) for shot in shots for _ in range(seeds)]


def cosines(studio: Studio, lora: Path, own: list[Embedding], prompts: list[str], folder: Path) -> list[float | None]:
    """Return each picture's cosine to the character; None where no face, or more than one, was found.

    Pictures with the trigger word are kept in ``folder`` with their prompts, to be looked at.
    """
    faces, found = analyzer(), list[float | None]()
    for number, (prompt, path) in enumerate(zip(prompts, studio.pictures(prompts, lora), strict=True)):
        face = the_one_face(faces, path)
        found.append(_cosine(face.embedding, own) if face else None)
        if TRIGGER in prompt:
            shutil.copyfile(path, folder / f"made-{number:03d}.png")
            (folder / f"made-{number:03d}.txt").write_text(prompt, encoding="utf-8")
    return found


def _cosine(embedding: Embedding, others: list[Embedding]) -> float:
    return float(np.mean(np.asarray(others) @ np.asarray(embedding)))
