"""The drawings on disk: many people once, and named people again and again, so that a rare word means one person."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.pocket.world import Identity, Shot, as_json, from_json, random_identity, random_shot

PARTS = 2  # processes that draw; part of the recipe, since each has its own seed
FIRST_SEED, NAMES_SEED = 1000, 77
NAMES, SHOTS_PER_NAME = 300, 14
RESERVED = "ohwx"  # the word that examples use is nobody's name
CONSONANTS, VOWELS = "bcdfghjklmnprstvwxz", "aeiou"


@dataclass(frozen=True)
class Drawing:
    """What one picture shows; ``name`` is empty for people who are drawn only once."""

    identity: Identity
    shot: Shot
    name: str


@dataclass(frozen=True)
class DrawingSet:
    """Pictures [n, 128, 128, 3] of bytes, left on disk until they are read, and what they show."""

    pictures: NDArray[np.uint8]
    drawings: list[Drawing]


def draw_people(folder: Path, count: int) -> None:
    """Draw ``count`` people, one picture each, as people.npy and people.json."""
    if (folder / "people.json").exists():
        return
    with multiprocessing.Pool(PARTS) as pool:
        pool.starmap(_draw_part, [(folder, part, count // PARTS) for part in range(PARTS)])
    parts = [folder / f"people-{part}.npy" for part in range(PARTS)]
    np.save(folder / "people.npy", np.concatenate([np.load(part, mmap_mode="r") for part in parts]))
    records = [json.loads(part.with_suffix(".json").read_text(encoding="utf-8")) for part in parts]
    _write(folder / "people.json", records[0] + records[1])
    for part in parts:
        part.unlink()
        part.with_suffix(".json").unlink()


def draw_named(folder: Path) -> None:
    """Draw each named person several times, as named.npy and named.json."""
    if (folder / "named.json").exists():
        return
    rng = random.Random(NAMES_SEED)
    _draw(folder / "named.npy", list(_named_people(rng)))


def load(folder: Path, name: str) -> DrawingSet:
    """Open one of the two sets: people or named."""
    records = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    drawings = [Drawing(*from_json(record), record["name"]) for record in records]
    return DrawingSet(np.load(folder / f"{name}.npy", mmap_mode="r"), drawings)


def strangers(seed: int, count: int) -> list[Drawing]:
    """Make up people who are in neither set, when the seed is none of the recipe's."""
    rng = random.Random(seed)
    return list(_people(rng, count))


def _people(rng: random.Random, count: int) -> Iterator[Drawing]:
    for _ in range(count):
        identity = random_identity(rng)
        yield Drawing(identity, random_shot(rng, identity), "")


def _named_people(rng: random.Random) -> Iterator[Drawing]:
    names: set[str] = set()
    while len(names) < NAMES:
        names.add(_name(rng))
    for name in sorted(names - {RESERVED}):
        identity = random_identity(rng)
        for _ in range(SHOTS_PER_NAME):
            yield Drawing(identity, random_shot(rng, identity), name)


def _name(rng: random.Random) -> str:
    if rng.random() < 0.4:  # unpronounceable, as trigger words often are
        return "".join(rng.choice(CONSONANTS + VOWELS) for _ in range(rng.choice([3, 4, 4, 5])))
    syllables = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(2))
    return syllables + (rng.choice(CONSONANTS) if rng.random() < 0.5 else "")


def _draw_part(folder: Path, part: int, count: int) -> None:
    _draw(folder / f"people-{part}.npy", list(_people(random.Random(FIRST_SEED + part), count)))


def _draw(path: Path, drawings: list[Drawing]) -> None:
    from scripts.pocket.drawing import draw  # skia is needed only where pictures are made

    np.save(path, np.stack([draw(one.identity, one.shot) for one in drawings]))
    _write(path.with_suffix(".json"), [as_json(one.identity, one.shot, one.name) for one in drawings])


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(records), encoding="utf-8")
    partial.replace(path)
