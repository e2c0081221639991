"""Takes pictures in: single files, folders and zips; a verdict for each file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import structlog

from isengard.domain.base import new_id
from isengard.domain.dataset import TrainingImage
from isengard.errors import InvalidInput, NotFound, UserError
from isengard.infra.archive import entries, is_junk
from isengard.infra.decoder import Decoder
from isengard.infra.fingerprint import fingerprint, near
from isengard.infra.library import CharacterShelf
from isengard.infra.pictures import Checked, pixels_sha256, png
from isengard.infra.queue import Queue
from isengard.infra.scrub import scrub
from isengard.infra.storage import Storage
from isengard.services.captions import MAX_CAPTION_CHARS, checked_caption
from isengard.services.once import once
from isengard.services.uploads import Notice, Rejected, Upload, UploadReport, shown

MAX_IMAGES = 500
NOTHING: Mapping[str, Any] = {}
log = structlog.get_logger("services.intake")


@dataclass
class _Verdicts:
    """What an upload has come to so far; captions wait by name until every picture is in."""

    uploaded: list[tuple[str, TrainingImage]]
    rejected: list[Rejected]
    notices: list[Notice]
    captions: dict[str, str]

    def refuse(self, name: str, error: UserError) -> None:
        self.rejected.append(Rejected(filename=shown(name), detail=error.message, hint=error.hint))


@dataclass(frozen=True)
class Intake:
    """Originals keep their pixels and lose their metadata; upright copies are what training sees."""

    shelf: CharacterShelf
    queue: Queue
    storage: Storage
    max_upload_mb: int
    decoder: Decoder

    def add(
        self, character_id: str, files: Sequence[Upload], idempotency_key: str | None = None, batch: str = ""
    ) -> UploadReport:
        """Take pictures, zips of them, and ``.txt`` captions; raise InvalidInput when nothing could be taken.

        Uploads of one ``batch`` are undone in one step.
        """

        def make(identifier: str) -> UploadReport:
            report = self._add(character_id, files, batch or identifier)
            if idempotency_key:
                self.storage.write_json(self.storage.report(identifier), report.model_dump(mode="json"))
            return report

        return once(self.queue, f"upload-{character_id}", idempotency_key, make, self._report)

    def adopt(self, character_id: str, filename: str, content: bytes, caption: str, batch: str) -> TrainingImage:
        """Take a synthetic picture, marked as one; raise InvalidInput when it is there already."""
        given = {"source": "synthetic", "caption": caption}
        return self._take(character_id, filename, content, batch, given)[0]

    def _report(self, identifier: str) -> UploadReport:
        try:
            return UploadReport.model_validate_json(self.storage.report(identifier).read_bytes())
        except FileNotFoundError as error:
            raise NotFound("There is no such upload.", "Look at the character's pictures.") from error

    def _add(self, character_id: str, files: Sequence[Upload], batch: str) -> UploadReport:
        self.shelf.get(character_id)
        self.storage.require_space()
        verdicts = _Verdicts([], [], [], {})
        for file in files:
            for name, content in self._unpacked(file, verdicts):
                self._sort(character_id, name, content, verdicts, batch)
        captions = self._captions(character_id, verdicts, batch)
        if not verdicts.uploaded and not captions:
            raise _nothing(verdicts.rejected)
        taken = {image.id for _, image in verdicts.uploaded}
        log.info("images.added", character_id=character_id, taken=len(taken), refused=len(verdicts.rejected))
        return UploadReport(
            uploaded=tuple(image for image in self.shelf.datasets.images(character_id) if image.id in taken),
            rejected=tuple(verdicts.rejected),
            notices=tuple(verdicts.notices),
            captions=captions,
        )

    def _unpacked(self, file: Upload, verdicts: _Verdicts) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of a file, or of each file in a zip; refuse what is too large to look at."""
        limit = self.max_upload_mb * 2**20
        if not file.filename.lower().endswith(".zip"):
            if not is_junk(file.filename):
                yield file.filename, file.read(limit + 1)
            return
        try:
            for entry in entries(file.open(), limit):
                if entry.trouble is not None:
                    verdicts.refuse(entry.name, entry.trouble)
                else:
                    yield entry.name, entry.content
        except UserError as error:
            verdicts.refuse(file.filename, error)

    def _sort(self, character_id: str, name: str, content: bytes, verdicts: _Verdicts, batch: str) -> None:
        try:
            if name.lower().endswith(".txt"):
                verdicts.captions[_key(name)] = _text(content)
                return
            image, twin = self._take(character_id, shown(name), content, batch)
        except UserError as error:
            verdicts.refuse(name, error)
            return
        verdicts.uploaded.append((_key(name), image))
        if twin is not None:
            verdicts.notices.append(_look_alike(image, twin))

    def _take(
        self, character_id: str, filename: str, content: bytes, batch: str, given: Mapping[str, Any] = NOTHING
    ) -> tuple[TrainingImage, TrainingImage | None]:
        """Keep one picture; return its record, with the fields given, and the picture that it looks like, if any."""
        if len(content) > self.max_upload_mb * 2**20:
            raise InvalidInput(
                f"The file has more than {self.max_upload_mb} MB.",
                "Save it smaller; 2048 pixels on the longer edge are enough.",
            )
        _refuse_twin(self.shelf.datasets.images(character_id), _sha256(content), "")  # before it is decoded
        checked = self.decoder.check(content)
        suffix, original = scrubbed(content, checked, self.decoder)
        made = _record(filename, content, checked, f"{_sha256(original)[:32]}.{suffix}", len(original))
        image = made.model_copy(update=given)
        curated = png(checked.image)
        alike: list[TrainingImage] = []

        def add(rows: list[TrainingImage]) -> list[TrainingImage]:
            _refuse_twin(rows, image.sha256, image.pixels_sha256)
            if len(rows) >= MAX_IMAGES:
                raise InvalidInput(
                    f"A character has at most {MAX_IMAGES} pictures.", "Remove some first; 15 to 30 are best."
                )
            alike.extend(row for row in rows if near(row.fingerprint, image.fingerprint))
            self.shelf.datasets.keep_original(character_id, image.original, original)
            self.shelf.datasets.keep_curated(character_id, image.curated, curated)
            held_out = any(row.held_out for row in alike)  # it would give the held-out picture away
            return [*rows, image.model_copy(update={"held_out": held_out})]

        self.shelf.datasets.edit(character_id, f"Added {filename}", add, batch)
        return image, alike[0] if alike else None

    def _captions(self, character_id: str, verdicts: _Verdicts, batch: str) -> int:
        """Give captions to pictures of the same name: of this upload by folder and name, else of any by name."""
        pairs = {image.id: key for key, image in verdicts.uploaded}
        rows = self.shelf.datasets.images(character_id)
        texts, used, wanted = verdicts.captions, set(), {}
        for image in rows:
            for key in (pairs.get(image.id, ""), _key(image.filename)):
                if key in texts:
                    used.add(key)
                    wanted[image.id] = texts[key]
                    break
        for key in sorted(texts.keys() - used):
            verdicts.refuse(
                f"{key}.txt",
                InvalidInput(
                    "There is no picture of the same name.",
                    "Name a caption like its picture: portrait.jpg and portrait.txt.",
                ),
            )
        if wanted:
            self.shelf.datasets.edit(
                character_id,
                f"Captioned {len(wanted)} pictures",
                lambda now: [_captioned(image, wanted) for image in now],
                "" if not verdicts.uploaded else batch,
            )
        return len(used)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _record(filename: str, content: bytes, checked: Checked, original: str, size: int) -> TrainingImage:
    pixels = pixels_sha256(checked.image)
    return TrainingImage(
        id=new_id("img"),
        filename=filename,
        original=original,
        curated=f"{pixels[:32]}.png",
        width=checked.width,
        height=checked.height,
        bytes=size,
        sha256=_sha256(content),
        pixels_sha256=pixels,
        fingerprint=fingerprint(checked.image),
    )


def scrubbed(content: bytes, checked: Checked, decoder: Decoder) -> tuple[str, bytes]:
    """Return suffix and bytes of the original without metadata; a file of a strange make is kept as PNG instead."""
    try:
        clean = scrub(content, checked.suffix, checked.orientation)
        if decoder.check(clean).image.tobytes() == checked.image.tobytes():
            return checked.suffix, clean
    except (ValueError, IndexError, UserError) as error:
        log.warning("image.rewritten", suffix=checked.suffix, error=str(error))
    return "png", decoder.upright_png(content)


def _key(filename: str) -> str:
    """Return what a caption and its picture have in common: the path without its ending, in small letters."""
    folder, slash, name = filename.replace("\\", "/").lower().rpartition("/")
    return folder + slash + PurePosixPath(name or "picture").stem


def _captioned(image: TrainingImage, wanted: dict[str, str]) -> TrainingImage:
    return image.model_copy(update={"caption": wanted[image.id]}) if image.id in wanted else image


def _text(content: bytes) -> str:
    try:
        return checked_caption(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, InvalidInput) as error:
        raise InvalidInput(
            "The caption is not short plain text.",
            f"Save it as UTF-8 with at most {MAX_CAPTION_CHARS} characters.",
        ) from error


def _refuse_twin(rows: Sequence[TrainingImage], sha256: str, pixels: str) -> None:
    for row in rows:
        if row.sha256 == sha256 or (pixels and row.pixels_sha256 == pixels):
            raise InvalidInput(
                f"This picture is here already, as {row.filename}.", "Nothing to do: it was not added twice."
            )


def _look_alike(image: TrainingImage, twin: TrainingImage) -> Notice:
    held = " That one is held out for evaluation, so this one is too." if twin.held_out else ""
    return Notice(
        image_id=image.id,
        filename=image.filename,
        detail=f"Looks almost like {twin.filename}.{held}",
        hint="Keep the better of the two: a picture that is there twice counts twice.",
    )


def _nothing(rejected: Sequence[Rejected]) -> InvalidInput:
    if not rejected:
        return InvalidInput("No picture came in.", "Choose one or more pictures, a folder or a zip of them.")
    return InvalidInput(f"{rejected[0].filename}: {rejected[0].detail}", rejected[0].hint)
