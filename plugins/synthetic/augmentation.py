"""Variations of a character's own photos: cut, mirrored, turned, seen through another lens and in another light."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.domain.catalogue import Attempt, Catalogue
from isengard.domain.event import Picture, PluginEvent
from isengard.errors import Cancelled
from isengard.plugins.protocols import BackendStatus
from isengard.plugins.sources import ExpansionRun, ReferencePicture
from plugins.synthetic.changes import CROPS, LENSES, SIDES, TONES, TURNS, varied

NAME = "augmentation"
MAX_EDGE = 1024  # pixels; what common base models are trained at
CATALOGUE = Catalogue(
    templates=("{trigger_word}",),
    worded=False,
    axes={
        "crop": tuple(CROPS),
        "side": tuple(SIDES),
        "turn": tuple(TURNS),
        "tone": tuple(TONES),
        "lens": tuple(LENSES),
    },
)


class Augmentation:
    """Fills the SyntheticSource socket on any machine: it needs no model, and is what a dry run uses."""

    name = NAME
    by_reference = True

    def status(self) -> BackendStatus:
        """Tell that it works everywhere."""
        return BackendStatus(NAME, "synthetic", available=True, license="MIT")

    def catalogue(self, run: ExpansionRun) -> Catalogue:
        """Return the ways in which a photo can be varied."""
        return CATALOGUE

    def basis(self, run: ExpansionRun) -> dict[str, Any]:
        """Return the version of the changes; they need nothing but the references."""
        return {"changes": 1}

    def draw(
        self, run: ExpansionRun, attempts: Sequence[Attempt], tell: Callable[[PluginEvent], None]
    ) -> Iterator[Picture]:
        """Vary one reference for each attempt."""
        run.work_dir.mkdir(parents=True, exist_ok=True)
        for attempt in attempts:
            if run.stop.cancel.is_set():
                raise Cancelled("Cancelled.")
            yield _vary(run.references[attempt.reference], attempt, run.work_dir)


def _vary(reference: ReferencePicture, attempt: Attempt, folder: Path) -> Picture:
    with Image.open(reference.image) as opened:
        photo = opened.convert("RGB")
    made = varied(photo, reference.face, attempt.shot, attempt.seed)
    made.thumbnail((MAX_EDGE, MAX_EDGE), Image.Resampling.LANCZOS)
    path = folder / f"variation-{attempt.index:05d}.png"
    made.save(path, "PNG")
    return Picture(index=attempt.index, path=str(path), seed=attempt.seed, width=made.width, height=made.height)
