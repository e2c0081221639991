"""Do pictures show what the prompt says? Counted attribute by attribute, on people whom the model has never seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scripts.pocket.captions import full_caption, fully_described
from scripts.pocket.classifier import ASKED, Classifier
from scripts.pocket.dataset import Drawing, strangers
from scripts.pocket.engine import Studio
from scripts.pocket.faces import analyzer, the_one_face
from scripts.pocket.intervals import Measured, measured

PROMPTS_SEED = 910_000


@dataclass
class Adherence:
    """For each attribute one list of hits (1 or 0) a prompt."""

    hits: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in ASKED})
    one_face: list[list[float]] = field(default_factory=list)

    def shares(self) -> dict[str, Measured]:
        """Return the share of pictures that show what was asked."""
        return {name: measured(groups) for name, groups in self.hits.items()}


def check(studio: Studio, classifier: Classifier, prompts: int, seeds: int, lora: Path | None = None) -> Adherence:
    """Make ``seeds`` pictures of each prompt and look at them."""
    result, faces = Adherence(), analyzer()
    drawings = strangers(PROMPTS_SEED, prompts)
    asked = [full_caption(one.shot, fully_described(one.identity)) for one in drawings for _ in range(seeds)]
    pictures = studio.pictures(asked, lora)
    said = classifier.seen(pictures)
    for number, drawing in enumerate(drawings):
        own = slice(number * seeds, (number + 1) * seeds)
        for name, value in _asked(drawing).items():
            result.hits[name].append([float(one[name] == value) for one in said[own]])
        result.one_face.append([float(the_one_face(faces, path) is not None) for path in pictures[own]])
    return result


def _asked(drawing: Drawing) -> dict[str, str]:
    """Return what the prompt says; a bald head has no hair colour, and no caption names a neutral expression."""
    every = {**vars(drawing.identity), **vars(drawing.shot)}
    asked = {name: every[name] for name in ASKED}
    if drawing.identity.style == "bald":
        del asked["hair"]
    if drawing.shot.expression == "neutral expression":
        del asked["expression"]
    return asked
