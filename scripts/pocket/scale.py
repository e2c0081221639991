"""From which cosine on does a picture by the pocket model show the character? For the scale of the app's likeness.

python -m scripts.pocket.scale                 six characters: about twenty minutes on two cores

Each character's face is the centroid of its twelve drawings, as the app makes it. Held against it: pictures made with
its own LoRA and trigger word, pictures made with the LoRAs of the other characters, and of nobody, without a LoRA.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from isengard.infra.identity import reference
from scripts.pocket.engine import Studio
from scripts.pocket.faces import ROOT, analyzer, the_one_face
from scripts.pocket.likeness import NOBODY, TRAINED, TRIGGER, Embedding, drawings, prompts_of
from scripts.pocket.world import random_identity

sys.path[:0] = [str(ROOT / "scripts" / "benchmarks")]
from machine import machine  # noqa: E402 - scripts is no package

PEOPLE_SEED = 970_000
THRESHOLDS = (0.43, 0.45, 0.46, 0.47, 0.48, 0.49, 0.5, 0.52, 0.55, 0.6)
SHARES = (0.05, 0.5, 0.95)


def main() -> None:
    """Train, draw, and print what each threshold accepts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", type=int, default=6)
    parser.add_argument("--prompts", type=int, default=48, help="pictures of each character, and of nobody")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own, others, nobody = _cosines(given.characters, given.prompts, Path(folder))
    for name, value in machine().items():
        print(f"{name}: {value}")
    for name, cosines in {"own LoRA": own, "others' LoRAs": others, "no LoRA": nobody}.items():
        spread = " / ".join(f"{value:.2f}" for value in np.quantile(cosines, SHARES))
        print(f"{name}: {len(cosines)} pairs, 5 / 50 / 95 %: {spread}")
    print("\n| threshold | reached by own LoRA | others' LoRAs | no LoRA |\n|--:|--:|--:|--:|")
    for threshold in THRESHOLDS:
        shares = [f"{np.mean(np.asarray(cosines) >= threshold):.0%}" for cosines in (own, others, nobody)]
        print(f"| {threshold:.2f} | " + " | ".join(shares) + " |")


def _cosines(characters: int, prompts: int, work: Path) -> tuple[list[float], list[float], list[float]]:
    studio, faces = Studio(ROOT / "plugins" / "diffusers" / "pocket", work / "runs"), analyzer()

    def pictured(subject: str, lora: Path | None) -> list[Embedding]:
        found = (the_one_face(faces, path) for path in studio.pictures(prompts_of(subject, (prompts, 1)), lora))
        return [face.embedding for face in found if face]

    known, made = [], []
    for number in range(characters):
        rng = random.Random(PEOPLE_SEED + number)
        drawn = drawings(random_identity(rng), rng, work / str(number))[:TRAINED]
        vectors = {path.name: embedding for path, _, embedding in drawn}
        person = reference(vectors, faces.score, faces.name, faces.model_sha256)
        lora, seconds = studio.train([(path, text) for path, text, _ in drawn], TRIGGER, "balanced")
        if person is None:
            raise SystemExit(f"Character {number + 1} has no face of its own: draw another one.")
        known.append(person)
        made.append(pictured(TRIGGER, lora))
        print(f"character {number + 1}: {seconds:.0f} s, {len(made[-1])} faces", file=sys.stderr, flush=True)
    strangers = pictured(NOBODY, None)
    studio.close()
    own = [one.cosine(face) for one, pictures in zip(known, made, strict=True) for face in pictures]
    others = [
        one.cosine(face)
        for number, one in enumerate(known)
        for other, pictures in enumerate(made)
        if other != number
        for face in pictures
    ]
    return own, others, [one.cosine(face) for one in known for face in strangers]


if __name__ == "__main__":
    main()
