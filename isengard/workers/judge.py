"""Measures synthetic pictures against the character's own photos: faces, identity, sharpness, copying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from isengard.domain.sorting import most_alike
from isengard.domain.synthetic import Scores
from isengard.infra.fingerprint import fingerprint
from isengard.infra.identity import Reference
from isengard.infra.measures import MARGIN, aesthetic, face_crop, mirrored, sharpness
from isengard.plugins.protocols import FaceAnalyzer
from isengard.plugins.sources import ReferencePicture

Print = tuple[str, str]  # id of a reference, and a fingerprint of it


@dataclass(frozen=True)
class Judge:
    """Knows the references; the thresholds are none of its business."""

    analyzer: FaceAnalyzer
    own: Reference
    wholes: Sequence[Print]
    faces: Sequence[Print]

    @classmethod
    def of(cls, analyzer: FaceAnalyzer, references: Sequence[ReferencePicture], own: Reference) -> Judge:
        """Take the fingerprints of the references, mirrored too: a mirrored copy is a copy."""
        wholes: list[Print] = []
        faces: list[Print] = []
        for reference in references:
            with Image.open(reference.image) as opened:
                photo = opened.convert("RGB")
            crop = face_crop(photo, reference.face, MARGIN)
            wholes += [(reference.id, fingerprint(one)) for one in (photo, mirrored(photo))]
            faces += [(reference.id, fingerprint(one)) for one in (crop, mirrored(crop))]
        return cls(analyzer, own, wholes, faces)

    @property
    def expected(self) -> float:
        """Median score of a reference against the others."""
        return round(self.analyzer.score(self.own.expected()), 4)

    def scores(self, picture: Path) -> Scores:
        """Measure one picture."""
        found = self.analyzer.faces(picture)
        with Image.open(picture) as opened:
            image = opened.convert("RGB")
        whole = fingerprint(image)
        scores = Scores(faces=len(found), fingerprint=whole, aesthetic=aesthetic(image))
        if not found:
            copy, copy_of = most_alike([whole], self.wholes)
            return scores.model_copy(update={"copy_score": copy, "copy_of": copy_of})
        face = found[0]
        copies = [
            most_alike([whole], self.wholes),
            most_alike([fingerprint(face_crop(image, face.box, MARGIN))], self.faces),
        ]
        copy, copy_of = max(copies, key=lambda pair: pair[0] or 0.0)
        cosine = self.own.cosine(face.embedding)
        measured = {
            "face_edge": round(min(face.box[2:]), 1),
            "cosine": round(cosine, 4),
            "similarity": round(self.analyzer.score(cosine), 4),
            "sharpness": sharpness(image, face.box),
            "copy_score": copy,
            "copy_of": copy_of,
        }
        return scores.model_copy(update=measured)
