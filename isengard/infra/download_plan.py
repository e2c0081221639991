"""What a download fetches: one `Item` a file, with where it goes and how it is known to be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isengard.domain.base_model import UNVERIFIED, ModelFile

PARTIAL = ".partial"
LAST = "model_index.json"  # what a folder is known by: it comes when all else is there
CheckedBy = Literal["registry", "hub", "nothing"]


@dataclass(frozen=True)
class Item:
    r"""One file to fetch. ``size`` in bytes, None where nobody said; ``sha256`` and ``git_oid`` are '' then.

    ``git_oid`` is what Git calls the file: SHA-1 over ``blob {size}\0`` and its bytes.
    """

    name: str
    url: str
    target: Path
    size: int | None = None
    sha256: str = ""
    git_oid: str = ""
    checked_by: CheckedBy = "nothing"
    repository: str = ""  # of Hugging Face; '' elsewhere

    @property
    def partial(self) -> Path:
        """Where it grows until it is whole and right."""
        return self.target.with_name(self.target.name + PARTIAL)

    @property
    def here(self) -> bool:
        """Tell whether it lies at its place, in the size that it should have."""
        try:
            size = self.target.stat().st_size
        except OSError:
            return False
        return self.size is None or size == self.size

    @property
    def begun(self) -> int:
        """How many bytes of it an earlier attempt left."""
        try:
            return self.partial.stat().st_size
        except OSError:
            return 0


def hash_of(file: ModelFile) -> str:
    """Return the hash of a registry's file, '' where it is not verified."""
    return "" if file.sha256 == UNVERIFIED else file.sha256


def missing_bytes(items: Sequence[Item], about: int = 0) -> int:
    """Return how many bytes are still to come; ``about`` stands in where no size is known."""
    wanted = [item for item in items if not item.here]
    if any(item.size is None for item in wanted):
        known = sum(item.size or 0 for item in wanted)
        return max(0, max(known, about) - sum(item.begun for item in wanted))
    return sum(max(0, (item.size or 0) - item.begun) for item in wanted)
