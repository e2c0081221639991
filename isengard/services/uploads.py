"""A file as it came in, and what is said about it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from pydantic import Field

from isengard.domain.base import Value
from isengard.domain.dataset import TrainingImage


@dataclass(frozen=True)
class Upload:
    """A file as it came in; the name may have folders in it, which pair captions with pictures."""

    filename: str
    content: bytes | BinaryIO

    def read(self, limit: int) -> bytes:
        """Return at most ``limit`` bytes."""
        return self.content[:limit] if isinstance(self.content, bytes) else self.content.read(limit)

    def open(self) -> BinaryIO:
        """Return it as a file that can be read in any order."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content


class Rejected(Value):
    """A file that was not taken, and why."""

    filename: str
    detail: str = Field(description="What is wrong with it.")
    hint: str = Field(description="What to do about it.")


class Notice(Value):
    """A picture that was taken, and what a person should know about it."""

    image_id: str
    filename: str
    detail: str
    hint: str


class UploadReport(Value):
    """The verdict on each file of an upload."""

    uploaded: tuple[TrainingImage, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notices: tuple[Notice, ...] = Field(default=(), description="About pictures that were taken, such as look-alikes.")
    captions: int = Field(default=0, description="Text files that became captions of pictures of the same name.")


def shown(filename: str) -> str:
    """Make a name fit for display: its last part, printable, at most 120 characters."""
    last = PurePosixPath(filename.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:120].strip() or "picture"
