"""Captions of a dataset as a table: change many at once, count their tags; every change is one step to undo."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import Field

from isengard.domain.base import Value
from isengard.domain.dataset import TrainingImage
from isengard.errors import InvalidInput, NotFound
from isengard.infra.library import CharacterShelf

MAX_CAPTION_CHARS = 2000


class Replacement(Value):
    """What to find in captions and what to put in its place."""

    find: str = Field(min_length=1, max_length=200, examples=["ohxw person"])
    replace: str = Field(default="", max_length=500, examples=["ohwx person"])
    match_case: bool = False
    whole_words: bool = Field(default=True, description="Leave alone what is part of a longer word.")
    image_ids: tuple[str, ...] | None = Field(default=None, description="None: every picture.")
    dry_run: bool = Field(default=False, description="Only tell what would change.")


class Affix(Value):
    """Text for the start and the end of captions; a caption that has it already stays as it is."""

    prefix: str = Field(default="", max_length=500, examples=["a photo of ohwx person, "])
    suffix: str = Field(default="", max_length=500)
    image_ids: tuple[str, ...] | None = Field(default=None, description="None: every picture.")
    dry_run: bool = Field(default=False, description="Only tell what would change.")


class CaptionChange(Value):
    """A caption before and after."""

    image_id: str
    before: str
    after: str


class CaptionReport(Value):
    """What changed, or would."""

    changes: tuple[CaptionChange, ...]


class Tag(Value):
    """A part of captions between commas, and how many pictures have it."""

    tag: str
    count: int
    image_ids: tuple[str, ...]


def checked_caption(text: str) -> str:
    """Return a caption on one line with single spaces; raise InvalidInput when it is too long or no text."""
    caption = " ".join(text.split())
    if len(caption) > MAX_CAPTION_CHARS or not caption.isprintable():
        raise InvalidInput(
            f"A caption is plain text of at most {MAX_CAPTION_CHARS} characters.",
            "Describe what is in the picture in a sentence or two.",
        )
    return caption


@dataclass(frozen=True)
class Captions:
    """The table of a character's captions."""

    shelf: CharacterShelf

    def set(self, character_id: str, texts: Mapping[str, str]) -> CaptionReport:
        """Give captions to pictures by id; raise NotFound for an id that is not there, InvalidInput for no text."""
        wanted = {key: checked_caption(text) for key, text in texts.items()}
        unknown = wanted.keys() - {image.id for image in self._images(character_id)}
        if unknown:
            raise NotFound("There is no such picture.", "It may have been deleted; reload the page.")
        return self._change(character_id, lambda image: wanted.get(image.id, image.caption))

    def replace(self, character_id: str, wanted: Replacement) -> CaptionReport:
        """Find and replace."""
        pattern = _pattern(wanted)

        def change(image: TrainingImage) -> str:
            return pattern.sub(lambda _: wanted.replace, image.caption)

        return self._change(character_id, _only(wanted.image_ids, change), dry_run=wanted.dry_run)

    def affix(self, character_id: str, wanted: Affix) -> CaptionReport:
        """Add text to the start and the end."""

        def change(image: TrainingImage) -> str:
            text = image.caption
            if not text:
                return ", ".join(part for part in (wanted.prefix.strip(" ,"), wanted.suffix.strip(" ,")) if part)
            if not text.lower().startswith(" ".join(wanted.prefix.lower().split())):
                text = wanted.prefix + text
            if not text.lower().endswith(" ".join(wanted.suffix.lower().split())):
                text += wanted.suffix
            return text

        return self._change(character_id, _only(wanted.image_ids, change), dry_run=wanted.dry_run)

    def tags(self, character_id: str) -> tuple[Tag, ...]:
        """Count the parts between commas, the most frequent first."""
        count: Counter[str] = Counter()
        where: dict[str, list[str]] = {}
        for image in self._images(character_id):
            for tag in dict.fromkeys(part.strip() for part in image.caption.split(",") if part.strip()):
                count[tag] += 1
                where.setdefault(tag, []).append(image.id)
        ordered = sorted(count, key=lambda tag: (-count[tag], tag.lower()))
        return tuple(Tag(tag=tag, count=count[tag], image_ids=tuple(where[tag])) for tag in ordered)

    def _images(self, character_id: str) -> list[TrainingImage]:
        self.shelf.get(character_id)
        return self.shelf.datasets.images(character_id)

    def _change(
        self, character_id: str, change: Callable[[TrainingImage], str], *, dry_run: bool = False
    ) -> CaptionReport:
        changed: list[CaptionChange] = []

        def edit(rows: list[TrainingImage]) -> list[TrainingImage]:
            new = [image.model_copy(update={"caption": checked_caption(change(image))}) for image in rows]
            for old, now in zip(rows, new, strict=True):
                if old.caption != now.caption:
                    changed.append(CaptionChange(image_id=old.id, before=old.caption, after=now.caption))
            return new

        rows = self._images(character_id)
        edit(rows)  # tells the label, and refuses what would be too long
        if changed and not dry_run:
            label = _label(changed, rows)
            changed.clear()
            self.shelf.datasets.edit(character_id, label, edit)
        return CaptionReport(changes=tuple(changed))


def _label(changed: list[CaptionChange], rows: list[TrainingImage]) -> str:
    if len(changed) > 1:
        return f"Captioned {len(changed)} pictures"
    return f"Captioned {next(image.filename for image in rows if image.id == changed[0].image_id)}"


def _pattern(wanted: Replacement) -> re.Pattern[str]:
    text = re.escape(wanted.find)
    if wanted.whole_words:
        text = rf"(?<!\w){text}(?!\w)"
    return re.compile(text, 0 if wanted.match_case else re.IGNORECASE)


def _only(image_ids: tuple[str, ...] | None, change: Callable[[TrainingImage], str]) -> Callable[[TrainingImage], str]:
    if image_ids is None:
        return change
    chosen = frozenset(image_ids)
    return lambda image: change(image) if image.id in chosen else image.caption
