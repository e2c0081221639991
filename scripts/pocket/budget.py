"""Training by the clock: how much of a time budget is used up, over any number of sittings.

The clock runs from step to step, and no step counts for longer than LONGEST_STEP: a training that was stopped for a
while, or had to stand aside for other work, does not lose its time.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch

WARMUP_STEPS = 60
LOWEST_RATE = 0.02  # share of the learning rate at the very end
REPORT_EVERY, SAVE_EVERY = 30.0, 300.0  # seconds
LONGEST_STEP = 10.0  # seconds


class Budget:
    """Seconds of training given to one step of the recipe; what earlier sittings used counts."""

    def __init__(self, name: str, seconds: float, used: float = 0.0) -> None:
        self._name = name
        self._seconds = seconds
        self.used = used  # seconds, those of earlier sittings included
        self._stepped = self._told = self._saved = time.monotonic()

    def anew(self) -> Budget:
        """Start its clock now."""
        return Budget(self._name, self._seconds, self.used)

    @property
    def share(self) -> float:
        """Used share of the budget, 0 to 1."""
        return min(1.0, self.used / self._seconds) if self._seconds > 0 else 1.0

    @property
    def over(self) -> bool:
        """True when nothing is left."""
        return self.used >= self._seconds

    def rate(self, step: int) -> float:
        """Share of the learning rate: a short rise, a plateau, from half time on a straight fall."""
        return min(1.0, (step + 1) / WARMUP_STEPS) * min(1.0, max(LOWEST_RATE, 2 * (1 - self.share)))

    def tell(self, step: int, loss: float) -> None:
        """Count a step's time, and print how far it got, now and then."""
        now = time.monotonic()
        self.used += min(now - self._stepped, LONGEST_STEP)
        self._stepped = now
        if now - self._told > REPORT_EVERY:
            self._told = now
            print(f"{self._name}: step {step}, {self.used:.0f} of {self._seconds:.0f} s, loss {loss:.4f}", flush=True)

    def time_to_save(self) -> bool:
        """Tell, once every few minutes, that saving is due."""
        due = time.monotonic() - self._saved > SAVE_EVERY
        if due:
            self._saved = time.monotonic()
        return due


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a file of tensors that is always whole, whatever happens meanwhile."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """Read what an earlier sitting saved."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def quick_dtype() -> torch.dtype:
    """Return bfloat16 where there are matrix units for it; without them it is many times slower than float32."""
    cpu_has_it = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - torch has no public question
    return torch.bfloat16 if device().type == "cuda" or cpu_has_it else torch.float32


def device() -> torch.device:
    """Return the GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
