"""A small disk that is full at will."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MB = 2**20


class Disk:
    """The small disk: full, or with room again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ballast = root / "ballast"

    @contextmanager
    def full(self) -> Iterator[None]:
        """Take the last byte for as long as this lasts."""
        self.fill()
        try:
            yield
        finally:
            self.free()

    def fill(self) -> None:
        """Write until nothing goes in any more."""
        with self.ballast.open("wb", buffering=0) as file:
            for block in (MB, 4096, 1):
                try:
                    while file.write(b"\0" * block):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Give the room back."""
        self.ballast.unlink()
