"""The sets that the Doctor is shown: clean ones, and those with defects seeded into them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.plugins.protocols import Face, FaceAnalyzer
from scripts.doctor import defects
from scripts.doctor.photographs import photographs
from scripts.doctor.sets import TRIGGER, Entry, Set, drawn, photographed

ROOT = Path(__file__).resolve().parents[2]
OTHERS = ("biden-1", "macron-1", "macron-2", "ardern-1", "ardern-2", "sunak-1", "collins-1", "hopper-1")
SCENES = ("landscape", "table", "cat")
CLEAN_DRAWN = 7


@dataclass
class Wards:
    """Makes sets; the same seed makes the same ones."""

    analyzer: FaceAnalyzer
    folder: Path

    def clean(self) -> Iterator[Set]:
        """Yield the sets in which there is nothing to find."""
        yield self._sample()
        yield photographed(self.analyzer)
        for number in range(CLEAN_DRAWN):
            yield drawn(number, self.analyzer, self.folder)

    def seeded(self) -> Iterator[Set]:
        """Yield the sets with defects."""
        rng = random.Random(7)
        yield from self._photographs(rng)
        yield from self._drawings(rng)
        yield from self._words(rng)
        yield from self._whole(rng)

    def _sample(self) -> Set:
        entries = [
            Entry(path.stem, Image.open(path).convert("RGB"), path.with_suffix(".txt").read_text().strip())
            for path in sorted((ROOT / "isengard" / "sample").glob("*.jpg"))
        ]
        return Set("sample", entries, trigger="zuvra person")

    def _photographs(self, rng: random.Random) -> Iterator[Set]:
        clean = photographed(self.analyzer)
        plan = (
            {"other_person": 3, "blurred_face": 2},
            {"other_person": 3, "cut_face": 2, "no_face": 1},
            {"small_face": 3, "several_faces": 2},
            {"blurred_face": 2, "several_faces": 2, "no_face": 1},
            {"duplicate": 2, "near_duplicate": 2, "training_cut": 1},
            {"other_person": 2, "cut_face": 2, "small_face": 1},
        )
        for number, wanted in enumerate(plan):
            yield self._seed(copy.deepcopy(clean), f"photographed-{number}", wanted, rng)

    def _drawings(self, rng: random.Random) -> Iterator[Set]:
        plan = (
            {"blurred_face": 2, "duplicate": 2, "near_duplicate": 1},
            {"cut_face": 3, "small_face": 2},
            {"several_faces": 2, "no_face": 1, "training_cut": 2},
            {"blurred_face": 3, "cut_face": 1, "small_face": 1, "near_duplicate": 2},
        )
        for number, wanted in enumerate(plan):
            yield self._seed(drawn(20 + number, self.analyzer, self.folder), f"drawn-seeded-{number}", wanted, rng)

    def _words(self, rng: random.Random) -> Iterator[Set]:
        plan = (
            {"caption_missing": 3, "trait_described": 3},
            {"trigger_misspelt": 3, "trigger_inside": 3},
            {"trigger_missing": 3, "trait_described": 3},
            {"trigger_misspelt": 3, "trigger_inside": 3, "trigger_missing": 3},
            {"caption_missing": 3, "trait_described": 2},
        )
        for number, wanted in enumerate(plan):
            yield self._seed(drawn(30 + number, self.analyzer, self.folder), f"captions-{number}", wanted, rng)

    def _whole(self, rng: random.Random) -> Iterator[Set]:
        """Yield sets that are wrong as a whole."""
        same: dict[str, dict[str, Any]] = {
            "same_background": {"setting": "a living room", "light": "natural light", "seed": 7},
            "same_framing": {"pose": "headshot"},
            "same_pose": {"facing": "facing forward"},
            "same_expression": {"expression": "neutral expression"},
        }
        for number, (kind, fixed) in enumerate(same.items()):
            one = drawn(40 + number, self.analyzer, self.folder, **fixed)
            yield _named(one, kind, (kind, ""))
        few = drawn(50, self.analyzer, self.folder, count=6)
        few.base_model = "flux-dev"
        few.consent = None
        yield _named(few, "too-few", ("too_few", ""), ("licence", ""), ("consent_missing", ""))
        words = drawn(51, self.analyzer, self.folder)
        defects.repeated(words, "red scarf")
        words.consent = None
        yield _named(words, "same-word", ("word_everywhere", ""), ("consent_missing", ""))
        pixels = drawn(52, self.analyzer, self.folder)
        pixels.base_model = "sd15"
        for entry in rng.sample(pixels.entries, 3):
            entry.image = entry.image.resize((256, 256), Image.Resampling.LANCZOS)
            pixels.seeded.append(("low_resolution", entry.name))
        yield _named(pixels, "few-pixels")
        mixed = photographed(self.analyzer)
        mixed.entries = mixed.entries[:3] + [self._other(name) for name in OTHERS]
        yield _named(mixed, "mixed", ("mixed_people", ""))
        lit = drawn(53, self.analyzer, self.folder, setting="a snowy field", light="natural light")
        yield _named(lit, "same_light", ("same_light", ""))
        many = drawn(54, self.analyzer, self.folder, count=62)
        yield _named(many, "too-many", ("too_many", ""))

    # --- how --------------------------------------------------------------------------------

    def _seed(self, clean: Set, name: str, wanted: dict[str, int], rng: random.Random) -> Set:
        clean.name = name
        free = rng.sample(clean.entries, len(clean.entries))
        for kind, count in wanted.items():
            for _ in range(count):
                clean.seeded.append((kind, self._one(clean, kind, free, rng)))
        return clean

    def _one(self, clean: Set, kind: str, free: list[Entry], rng: random.Random) -> str:
        """Seed one defect; return the name of the picture that has it."""
        if kind in {"other_person", "no_face", "duplicate", "near_duplicate"}:
            return self._added(clean, kind, free, rng)
        entry = free.pop()
        if kind == "several_faces":
            defects.with_company(entry, self._other(rng.choice(OTHERS)).image)
        elif kind == "caption_missing":
            entry.caption = ""
        elif kind in TEXTS:
            TEXTS[kind](entry, rng)
        else:
            PIXELS[kind](entry, self._face(entry.image), rng)
        return entry.name

    def _added(self, clean: Set, kind: str, free: list[Entry], rng: random.Random) -> str:
        names = {entry.name for entry in clean.entries}
        if kind == "other_person":
            new = self._other(rng.choice([name for name in OTHERS if name not in names]))
        elif kind == "no_face":
            new = self._scene(rng.choice([name for name in SCENES if name not in names]))
        else:
            new = (defects.copied if kind == "duplicate" else defects.nearly_copied)(free.pop(), rng)
        clean.entries.append(new)
        return new.name

    def _other(self, name: str) -> Entry:
        return _photo(name, f"a photo of {TRIGGER} in {name} street")

    def _scene(self, name: str) -> Entry:
        return _photo(name, f"a photo of {TRIGGER} at sunset")

    def _face(self, image: Image.Image) -> Face:
        path = self.folder / "seeding.png"
        image.save(path)
        return self.analyzer.faces(path)[0]


def _photo(name: str, caption: str) -> Entry:
    (photo,) = (p for p in photographs() if p.name == name)
    return Entry(name, Image.open(photo.path).convert("RGB"), caption)


TEXTS: dict[str, Callable[[Entry, random.Random], None]] = {
    "trigger_misspelt": defects.misspelt,
    "trigger_inside": defects.stuck,
    "trigger_missing": defects.nameless,
    "trait_described": defects.described,
}
PIXELS: dict[str, Callable[[Entry, Face, random.Random], None]] = {
    "blurred_face": defects.blurred,
    "small_face": defects.small,
    "cut_face": defects.cut,
    "training_cut": defects.beside_training,
}


def _named(one: Set, name: str, *seeded: tuple[str, str]) -> Set:
    one.name = name
    one.seeded += seeded
    return one
