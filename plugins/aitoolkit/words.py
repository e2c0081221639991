"""Captions and prompts as AI-Toolkit may be given them, and the private folder of pictures that it writes into."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from isengard.errors import InvalidInput
from isengard.plugins.protocols import DatasetItem

TAKEN = (".jpg", ".jpeg", ".png", ".webp")
_FLAG = re.compile(r"(^|\s)-{2,}\s*")  # of a prompt, what follows " --" is read as options
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def safe_text(text: str) -> str:
    """Return one line that AI-Toolkit takes as words: no ``${…}``, no ``[name]``, no ``--option``.

    ``[trigger]`` stays: it stands for the trigger word in both programs.
    """
    plain = " ".join(_CONTROL.sub(" ", text).split())
    plain = plain.replace("[name]", "(name)").replace("${", "$ {")
    return _FLAG.sub(r"\1- ", plain)


def with_trigger(text: str, trigger: str) -> str:
    """Return a safe caption that has the trigger word as a word of its own, put first where it was not."""
    caption = safe_text(text).replace("[trigger]", trigger)
    if not trigger or re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", caption):
        return caption
    return f"{trigger}, {caption}" if caption else trigger


def lay_out(items: Sequence[DatasetItem], trigger: str, folder: Path) -> list[str]:
    """Put the pictures and their captions into an own folder, as links where the disk allows; return the captions.

    Raise InvalidInput for a picture that cannot be read: AI-Toolkit would leave it out and end well.
    """
    broken = [item.image.name for item in items if not _readable(item.image)]
    if broken:
        raise InvalidInput(
            f"{len(broken)} of {len(items)} pictures cannot be read: {', '.join(broken[:5])}.",
            "Remove or replace them in the Characters tab, then start the training again.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {item.image.name for item in items}
    for stray in folder.iterdir():
        if stray.suffix.lower() in TAKEN and stray.name not in wanted:
            stray.unlink()
    captions = []
    for item in items:
        picture, caption = folder / item.image.name, with_trigger(item.caption, trigger)
        if not picture.exists():
            _link(item.image, picture)
        picture.with_suffix(".txt").write_text(caption, encoding="utf-8")
        captions.append(caption)
    return captions


def _readable(picture: Path) -> bool:
    from PIL import Image

    if picture.suffix.lower() not in TAKEN:
        return False
    try:
        with Image.open(picture) as opened:
            opened.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
