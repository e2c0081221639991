"""Bootstrap intervals of means: how far a figure might have come out otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES, SEED = 2000, 0


@dataclass(frozen=True)
class Measured:
    """A mean with its 95 % interval, and from how many values it comes."""

    mean: float
    low: float
    high: float
    values: int

    def words(self, *, percent: bool) -> str:
        """Return "93.1 % [90.0, 96.2]" or "0.42 [0.38, 0.47]"."""
        if not self.values:
            return "not measured"
        if percent:
            return f"{100 * self.mean:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def measured(groups: Sequence[Sequence[float]]) -> Measured:
    """Return the mean over all values. Whole groups are resampled: pictures of one prompt are no independent proofs."""
    full = [np.asarray(group, dtype=float) for group in groups if len(group)]
    if not full:
        return Measured(float("nan"), float("nan"), float("nan"), 0)
    sums, counts = np.array([g.sum() for g in full]), np.array([g.size for g in full])
    picks = np.random.default_rng(SEED).integers(len(full), size=(RESAMPLES, len(full)))
    means = sums[picks].sum(1) / counts[picks].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Measured(float(sums.sum() / counts.sum()), float(low), float(high), int(counts.sum()))
