"""A character's pictures: a verdict for each uploaded file, captions, removal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import structlog
from pydantic import Field

from isengard.domain.base import Value, new_id
from isengard.domain.character import TrainingImage
from isengard.domain.page import Page
from isengard.errors import InvalidInput, NotFound, UserError
from isengard.infra.library import CharacterShelf
from isengard.infra.library.paging import page
from isengard.infra.pictures import check
from isengard.infra.queue import Queue
from isengard.infra.storage import Storage
from isengard.services.once import once

MAX_CAPTION_CHARS = 2000
MAX_IMAGES = 500
log = structlog.get_logger("services.datasets")


@dataclass(frozen=True)
class Upload:
    """A file as it came in."""

    filename: str
    content: bytes


class Rejected(Value):
    """A file that was not taken, and why."""

    filename: str
    detail: str = Field(description="What is wrong with it.")
    hint: str = Field(description="What to do about it.")


class UploadReport(Value):
    """The verdict on each file of an upload."""

    uploaded: tuple[TrainingImage, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    captions: int = Field(default=0, description="Text files that became captions of pictures of the same name.")


@dataclass(frozen=True)
class Datasets:
    """Originals are kept byte for byte; upright copies without metadata are what training sees."""

    shelf: CharacterShelf
    queue: Queue
    storage: Storage
    max_upload_mb: int

    def add(self, character_id: str, files: Sequence[Upload], idempotency_key: str | None = None) -> UploadReport:
        """Take pictures, and ``.txt`` captions named like them; raise InvalidInput when nothing could be taken."""

        def make(identifier: str) -> UploadReport:
            report = self._add(character_id, files)
            if idempotency_key:
                self.storage.write_json(self.storage.report(identifier), report.model_dump(mode="json"))
            return report

        return once(self.queue, f"upload-{character_id}", idempotency_key, make, self._report)

    def _report(self, identifier: str) -> UploadReport:
        try:
            return UploadReport.model_validate_json(self.storage.report(identifier).read_bytes())
        except FileNotFoundError as error:
            raise NotFound("There is no such upload.", "Look at the character's pictures.") from error

    def _add(self, character_id: str, files: Sequence[Upload]) -> UploadReport:
        self.shelf.get(character_id)
        self.storage.require_space()
        uploaded: list[TrainingImage] = []
        rejected: list[Rejected] = []
        for file in (f for f in files if not _is_caption(f)):
            try:
                uploaded.append(self._take(character_id, file))
            except UserError as error:
                rejected.append(Rejected(filename=_shown(file.filename), detail=error.message, hint=error.hint))
        captions = self._captions(character_id, [f for f in files if _is_caption(f)], rejected)
        if not uploaded and not captions:
            first = rejected[0] if rejected else None
            raise InvalidInput(
                f"{first.filename}: {first.detail}" if first else "No file came in.",
                first.hint if first else "Choose one or more pictures.",
            )
        log.info("images.added", character_id=character_id, taken=len(uploaded), refused=len(rejected))
        known = {image.id: image for image in self.shelf.images(character_id)}
        return UploadReport(
            uploaded=tuple(known.get(image.id, image) for image in uploaded),
            rejected=tuple(rejected),
            captions=captions,
        )

    def _take(self, character_id: str, file: Upload) -> TrainingImage:
        size = len(file.content)
        if size > self.max_upload_mb * 2**20:
            raise InvalidInput(
                f"The file has {size / 2**20:.0f} MB; {self.max_upload_mb} MB are allowed.",
                "Save it smaller; 2048 pixels on the longer edge are enough.",
            )
        if len(self.shelf.images(character_id)) >= MAX_IMAGES:
            raise InvalidInput(
                f"A character has at most {MAX_IMAGES} pictures.", "Remove some first; 15 to 30 are best."
            )
        checked = check(file.content)
        digest = hashlib.sha256(file.content).hexdigest()
        image = TrainingImage(
            id=new_id("img"),
            filename=_shown(file.filename),
            original=f"{digest[:32]}.{checked.suffix}",
            curated=f"{digest[:32]}.png",
            width=checked.width,
            height=checked.height,
            bytes=size,
            sha256=digest,
        )
        if not self.shelf.add_image(character_id, image, file.content, checked):
            raise InvalidInput("This picture is here already.", "Nothing to do: it was not added twice.")
        return image

    def _captions(self, character_id: str, files: Sequence[Upload], rejected: list[Rejected]) -> int:
        texts: dict[str, str] = {}
        for file in files:
            try:
                texts[_stem(file.filename)] = _caption(file.content.decode("utf-8-sig"))
            except (UnicodeDecodeError, InvalidInput):
                rejected.append(
                    Rejected(
                        filename=_shown(file.filename),
                        detail="The caption is not short plain text.",
                        hint=f"Save it as UTF-8 with at most {MAX_CAPTION_CHARS} characters.",
                    )
                )
        names = {_stem(image.filename) for image in self.shelf.images(character_id)}
        rejected += [
            Rejected(
                filename=f"{stem}.txt",
                detail="There is no picture of the same name.",
                hint="Name a caption like its picture: portrait.jpg and portrait.txt.",
            )
            for stem in sorted(texts.keys() - names)
        ]
        wanted = {stem: text for stem, text in texts.items() if stem in names}
        if wanted:
            self.shelf.change_images(
                character_id,
                lambda image: image.model_copy(update={"caption": wanted.get(_stem(image.filename), image.caption)}),
            )
        return len(wanted)

    def images(self, character_id: str, cursor: str | None = None, limit: int = 200) -> Page[TrainingImage]:
        """Return a page of pictures, oldest first."""
        self.shelf.get(character_id)
        by_id = {image.id: image for image in self.shelf.images(character_id)}
        return page(list(by_id), cursor, limit, by_id.get)

    def image(self, character_id: str, image_id: str) -> TrainingImage:
        """Return one picture's record; raise NotFound."""
        self.shelf.get(character_id)
        return self.shelf.image(character_id, image_id)

    def caption(self, character_id: str, image_id: str, text: str) -> TrainingImage:
        """Change a caption."""
        self.image(character_id, image_id)
        wanted = _caption(text)
        self.shelf.change_images(
            character_id,
            lambda image: image.model_copy(update={"caption": wanted}) if image.id == image_id else image,
        )
        return self.shelf.image(character_id, image_id)

    def remove(self, character_id: str, image_id: str) -> None:
        """Remove a picture, its original and its caption."""
        self.image(character_id, image_id)
        self.shelf.change_images(character_id, lambda image: None if image.id == image_id else image)

    def file(self, character_id: str, image_id: str, size: str) -> Path:
        """Return the file of a picture: ``thumb`` or ``full`` (upright, without metadata)."""
        image = self.image(character_id, image_id)
        if size == "thumb":
            return self.shelf.thumb(character_id, image)
        return self.shelf.curated(character_id, image)


def _is_caption(file: Upload) -> bool:
    return file.filename.lower().endswith(".txt")


def _shown(filename: str) -> str:
    """Make a name fit for display: its last part, printable, at most 120 characters."""
    last = PurePosixPath(filename.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:120].strip() or "picture"


def _stem(filename: str) -> str:
    return PurePosixPath(_shown(filename)).stem.lower()


def _caption(text: str) -> str:
    caption = " ".join(text.split())
    if len(caption) > MAX_CAPTION_CHARS or not caption.isprintable():
        raise InvalidInput(
            f"A caption is plain text of at most {MAX_CAPTION_CHARS} characters.",
            "Describe what is in the picture in a sentence or two.",
        )
    return caption
