"""Made-up pictures for the Dataset Doctor: faces, looks and captions with known measures."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isengard.domain.base_model import BaseModelRow
from isengard.domain.character import Character
from isengard.domain.checkup import Checkup, Finding
from isengard.domain.dataset import TrainingImage
from isengard.errors import IsengardError
from isengard.infra.looks import Look
from isengard.plugins.protocols import BackendStatus, Face
from isengard.services.doctor.case import Case, Picture
from isengard.services.doctor.report import checked

ROW = BaseModelRow(
    id="sd15",
    name="SD 1.5",
    source="a/b",
    license="OpenRAIL",
    version="1",
    purpose="",
    resolution=512,
    commercial_use=True,
)
PLACES = ("a park", "a cafe", "an office", "a forest", "a library", "the street")


class Net:
    """A face analyser's name and scale."""

    name, model_sha256 = "net", "aa"

    def status(self) -> BackendStatus:
        return BackendStatus("net", "face", available=True, license="MIT")

    def faces(self, image: Path) -> Sequence[Face]:
        raise NotImplementedError

    def faces_of(self, images: Sequence[Path]) -> Iterator[Sequence[Face] | IsengardError]:
        raise NotImplementedError

    def score(self, cosine: float) -> float:
        return 1 / (1 + math.exp(-20 * (cosine - 0.3876)))

    def drawn_score(self, cosine: float) -> float | None:
        raise NotImplementedError


def embedding(person: int, rng: np.random.Generator) -> tuple[float, ...]:
    centre = np.random.default_rng(person).normal(size=256)
    row = centre / np.linalg.norm(centre) + 0.6 * rng.normal(size=256) / 16
    return tuple((row / np.linalg.norm(row)).tolist())


def face(n: int, person: int = 1, box: tuple[float, ...] = (400, 250, 200, 260), **changes: Any) -> Face:
    """Return a face whose turn, mouth and vector differ with ``n``."""
    rng = np.random.default_rng(n)
    x, y, width, height = box
    eyes, turn, mouth = 0.4 * width, rng.uniform(-0.35, 0.35), rng.uniform(0.75, 1.0)
    middle = x + width / 2
    points = (
        (middle - eyes / 2, y + 0.4 * height),
        (middle + eyes / 2, y + 0.4 * height),
        (middle + turn * eyes, y + 0.6 * height),
        (middle - mouth * eyes / 2, y + 0.8 * height),
        (middle + mouth * eyes / 2, y + 0.8 * height),
    )
    made = Face((x, y, width, height), 0.93, embedding(person, rng), points, 200.0)
    return dataclasses.replace(made, **changes)


def picture(n: int, *faces: Face, size: tuple[int, int] = (1000, 1000), **record: Any) -> Picture:
    """Return a picture with its own look, fingerprint and caption."""
    rng = random.Random(n)
    width, height = size
    image = TrainingImage(
        **{
            "id": f"img-{n:03d}",
            "filename": f"{n}.jpg",
            "original": f"{n}.jpg",
            "curated": f"{n}.png",
            "width": width,
            "height": height,
            "bytes": 9,
            "sha256": str(n),
            "fingerprint": f"{rng.getrandbits(128):032x}",
            "caption": f"a photo of ohwx person in {PLACES[n % len(PLACES)]}",
            **record,
        }
    )
    backdrop = tuple(np.random.default_rng(n).dirichlet(np.full(64, 0.05)).tolist())
    look = Look(rng.uniform(0.2, 0.7), backdrop, rng.uniform(0.2, 0.7), rng.uniform(-0.3, 0.3))
    edge = rng.uniform(0.6, 1.6)
    box = (width * 0.4, height * 0.25, 0.2 * width * edge, 0.26 * height * edge)
    return Picture(image, width, height, faces or (face(n, box=box),), look)


def case(pictures: Sequence[Picture], **changes: Any) -> Case:
    who = Character(id="char-1", name="Zara", trigger_word="ohwx person", consent="self")
    return Case(**{"character": who, "row": ROW, "pictures": tuple(pictures), "analyzer": Net(), **changes})


CLEAN = [picture(n) for n in range(12)]


def report(*pictures: Picture, clean: Sequence[Picture] = CLEAN, **changes: Any) -> Checkup:
    return checked(case([*clean, *pictures], **changes))


def the(kind: str, found: Checkup) -> Finding:
    """Return the one finding, which is of that kind."""
    assert [finding.kind for finding in found.findings] == [kind]
    return found.findings[0]
