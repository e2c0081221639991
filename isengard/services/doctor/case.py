"""What the Doctor looks at: the pictures that a training would see, measured, and what they are for."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from isengard.domain.base_model import BaseModelRow
from isengard.domain.character import Character
from isengard.domain.checkup import Box, Evidence, Finding, Fix, Kind, Severity
from isengard.domain.dataset import TrainingImage
from isengard.infra.identity import Reference, reference
from isengard.infra.looks import Look
from isengard.plugins.protocols import Face, FaceAnalyzer

SEVERAL = 2
ENOUGH_REAL = 3  # photographs that can say by themselves who the person is


@dataclass(frozen=True)
class Picture:
    """One picture as training sees it: cropped, ``width`` by ``height`` pixels. ``faces`` are largest first."""

    image: TrainingImage
    width: int
    height: int
    faces: tuple[Face, ...]
    look: Look
    trouble: str = ""

    @property
    def id(self) -> str:
        """Return the picture's id."""
        return self.image.id

    def share(self, face: Face) -> Box:
        """Return a face's box as shares of the picture."""
        x, y, width, height = face.box
        return x / self.width, y / self.height, width / self.width, height / self.height

    def evidence(self, face: Face | None = None, note: str = "") -> Evidence:
        """Return the picture as evidence, with a face marked."""
        box = self.share(face) if face else None
        return Evidence(image_id=self.id, filename=self.image.filename, box=box, note=note)


@dataclass(frozen=True)
class Case:
    """A character's pictures and the base model that they are meant for."""

    character: Character
    row: BaseModelRow
    pictures: tuple[Picture, ...]
    analyzer: FaceAnalyzer | None = None
    square: bool = False  # the trainer cuts a square out of each picture, whatever its shape

    @cached_property
    def reference(self) -> Reference | None:
        """Whom the pictures with one face agree on: photographs, where there are enough, not what was made of them."""
        if self.analyzer is None:
            return None
        alone = [p for p in self.pictures if len(p.faces) == 1]
        real = [p for p in alone if p.image.source == "upload"]
        single = {p.id: p.faces[0].embedding for p in (real if len(real) >= ENOUGH_REAL else alone)}
        return reference(single, self.analyzer.score, self.analyzer.name, self.analyzer.model_sha256)

    def score(self, face: Face, picture: Picture) -> float:
        """Return how sure it is that this is the person, 0..1, the picture itself not being asked."""
        if self.analyzer is None or self.reference is None:
            return 1.0
        known = {**self.reference.members, **self.reference.outliers}
        own = known.get(picture.id) if len(picture.faces) == 1 else None
        return self.analyzer.score(self.reference.cosine(face.embedding) if own is None else own)

    def main_face(self, picture: Picture) -> Face | None:
        """Return the face that the picture is about: of several, the one most like the person."""
        if len(picture.faces) < SEVERAL:
            return picture.faces[0] if picture.faces else None
        return max(picture.faces, key=lambda face: self.score(face, picture))

    @cached_property
    def faces_are_known(self) -> bool:
        """Whether the face model can make out this kind of picture at all: it finds one in half of them or more."""
        seen = [p for p in self.pictures if not p.trouble]
        return self.analyzer is not None and sum(bool(p.faces) for p in seen) * 2 >= len(seen)

    def enlarged(self, picture: Picture) -> float:
        """Return by how much each side has to grow to fill the base model's resolution; at most 1: not at all."""
        return self.row.resolution / math.sqrt(picture.width * picture.height)


def found(  # noqa: PLR0913 - a finding has that many parts, all of them named where it is made
    kind: Kind,
    severity: Severity,
    title: str,
    *,
    reason: str,
    advice: str = "",
    evidence: Sequence[Evidence] = (),
    fix: Fix | None = None,
    about: Iterable[Picture] = (),
) -> Finding:
    """Make a finding. Its id follows from its kind and the content of the pictures that it is ``about``."""
    content = ":".join(sorted(f"{p.id}/{p.image.curated}" for p in about))
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return Finding(
        id=f"{kind}.{digest}",
        kind=kind,
        severity=severity,
        title=title,
        reason=reason,
        advice=advice,
        evidence=tuple(evidence),
        fix=fix,
    )


def remove(pictures: Sequence[Picture], label: str = "Remove picture") -> Fix:
    """Make the fix that takes pictures out of the set."""
    return Fix(action="remove", label=label, image_ids=tuple(p.id for p in pictures))
