"""How much a benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scope:
    """``quick`` is a look, not a proof; ``folder`` is empty and goes away afterwards."""

    quick: bool
    folder: Path

    def pick(self, full: int, quick: int) -> int:
        """Return the number for this run."""
        return quick if self.quick else full
