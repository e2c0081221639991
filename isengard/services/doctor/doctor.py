"""Examines a character's pictures, and does what a finding proposes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from PIL import Image

from isengard.domain.base_model import BaseModelRow
from isengard.domain.checkup import Checkup, Finding, Fix
from isengard.domain.dataset import TrainingImage
from isengard.errors import BackendUnavailable, Conflict, IsengardError, NotFound
from isengard.infra.library import CharacterShelf
from isengard.infra.looks import Look, look_at
from isengard.infra.storage import Storage
from isengard.plugins.known_faces import Found, KnownFaces
from isengard.plugins.protocols import FaceAnalyzer
from isengard.plugins.registry import Plugins
from isengard.services.choice import BaseModelChoice
from isengard.services.datasets import Datasets
from isengard.services.doctor.case import Case, Picture
from isengard.services.doctor.report import checked

PATIENCE_SECONDS = 20.0  # a report that takes longer comes in parts: proxies cut longer requests off
SQUARE_CUTTERS = frozenset({"diffusers"})  # training backends that cut a square out of each picture
log = structlog.get_logger("services.doctor")


@dataclass(frozen=True)
class Doctor:
    """Pictures are looked at once; a report on what is known takes milliseconds."""

    shelf: CharacterShelf
    datasets: Datasets
    storage: Storage
    plugins: Plugins
    choice: BaseModelChoice
    known: KnownFaces
    _turn: threading.Lock = field(default_factory=threading.Lock)  # two reports at once would look at all twice

    def report(self, character_id: str, base_model: str = "", patience: float = PATIENCE_SECONDS) -> Checkup:
        """Examine what a training would see; raise NotFound.

        ``base_model`` says what it is meant for; empty: what this machine would train. A set that takes longer than
        ``patience`` seconds is reported as 'examining': ask again, and it goes on.
        """
        begun = time.monotonic()
        character = self.shelf.get(character_id)
        row = self.choice.for_training(base_model)
        images = [image for image in self.shelf.datasets.images(character_id) if not image.held_out]
        with self._turn:
            analyzer, found = self._faces(character_id, images, begun + patience)
        looked_at = [image for image in images if image.id in found]
        pictures = tuple(self._picture(character_id, image, found[image.id]) for image in looked_at)
        case = Case(character, row, pictures, analyzer, square=self._cuts_squares(row))
        report = checked(case, self._ignored(character_id), pending=len(images) - len(looked_at))
        seconds = round(time.monotonic() - begun, 2)
        log.info("dataset.examined", character_id=character_id, pictures=len(pictures), seconds=seconds)
        return report.model_copy(update={"seconds": seconds})

    def fix(self, character_id: str, finding_id: str, base_model: str = "") -> Checkup:
        """Do what a finding proposes, as an edit that undo takes back, and examine again.

        Raises Conflict when the finding is not there any more, or proposes nothing.
        """
        finding = self._finding(character_id, finding_id, base_model)
        if finding.fix is None:
            raise Conflict("This cannot be mended by a click.", finding.advice or "Ignore it, or change the pictures.")
        self._apply(character_id, finding.fix)
        log.info("dataset.mended", character_id=character_id, kind=finding.kind, action=finding.fix.action)
        return self.report(character_id, base_model)

    def ignore(self, character_id: str, finding_id: str, base_model: str = "", *, ignored: bool = True) -> Checkup:
        """Remember that a person does not mind, or does again; the same thing in other pictures is found anew."""
        self._finding(character_id, finding_id, base_model)
        with self.storage.locked(character_id):
            kept = self._ignored(character_id)
            kept = kept | {finding_id} if ignored else kept - {finding_id}
            self.storage.write_json(self.storage.checkup(character_id), {"version": 1, "ignored": sorted(kept)})
        return self.report(character_id, base_model)

    def _finding(self, character_id: str, finding_id: str, base_model: str) -> Finding:
        for finding in self.report(character_id, base_model).findings:
            if finding.id == finding_id:
                return finding
        raise Conflict("This finding is not there any more.", "The pictures have changed: look at the new report.")

    def _apply(self, character_id: str, fix: Fix) -> None:
        if fix.action == "remove":
            self.datasets.remove(character_id, fix.image_ids)
        elif fix.action == "caption":
            self.datasets.captions.set(character_id, fix.captions)
        else:
            (image_id,) = fix.image_ids
            self.datasets.crop(character_id, image_id, fix.crop)

    def _faces(
        self, character_id: str, images: Collection[TrainingImage], deadline: float
    ) -> tuple[FaceAnalyzer | None, dict[str, Found]]:
        paths = {image.id: self.shelf.datasets.curated(character_id, image) for image in images}
        try:
            analyzer = self.plugins.face_analyzer()
        except NotFound:
            return None, dict.fromkeys(paths, ())
        found = self.known.of(analyzer, list(paths.values()), deadline)
        broken = next((one for one in found.values() if isinstance(one, BackendUnavailable)), None)
        if broken:  # the model is at fault, not the picture
            log.warning("faces.unavailable", character_id=character_id, error=broken.message)
            return None, dict.fromkeys(paths, ())
        return analyzer, {name: found[path] for name, path in paths.items() if path in found}

    def _picture(self, character_id: str, image: TrainingImage, found: Found) -> Picture:
        path = self.shelf.datasets.curated(character_id, image)
        try:
            with Image.open(path) as opened:
                width, height = opened.size
            faces = () if isinstance(found, IsengardError) else tuple(found)
            box = faces[0].box if faces else None
            share = (box[0] / width, box[1] / height, box[2] / width, box[3] / height) if box else None
            look = look_at(self.shelf.datasets.thumb(character_id, image), share)
        except OSError as error:
            trouble = "The file is not there." if not path.exists() else f"The file is damaged: {error}"
            return Picture(image, image.width, image.height, (), Look(0.5, ()), trouble)
        trouble = f"{found.message} {found.hint}" if isinstance(found, IsengardError) else ""
        return Picture(image, width, height, faces, look, trouble)

    def _cuts_squares(self, row: BaseModelRow) -> bool:
        try:
            return self.plugins.training_for(row).name in SQUARE_CUTTERS
        except BackendUnavailable:
            return False

    def _ignored(self, character_id: str) -> frozenset[str]:
        path: Path = self.storage.checkup(character_id)
        try:
            return frozenset(json.loads(path.read_text(encoding="utf-8"))["ignored"])
        except FileNotFoundError:
            return frozenset()
