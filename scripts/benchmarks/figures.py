"""What a benchmark found: figures with their targets, as a Markdown table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured number. ``target`` is None where the figure is only for information."""

    part: str
    what: str
    value: float
    unit: str
    target: float | None = None
    more_is_better: bool = False
    detail: str = ""
    samples: Sequence[float] = field(default_factory=tuple)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value > self.target if self.more_is_better else self.value <= self.target

    @property
    def aim(self) -> str:
        """The target in words."""
        if self.target is None:
            return "-"
        return f"{'>' if self.more_is_better else '≤'} {number(self.target)} {self.unit}".strip()

    @property
    def verdict(self) -> str:
        """One word."""
        return {True: "met", False: "**missed**", None: "-"}[self.met]


def number(value: float) -> str:
    """Write a number with about three significant digits, whole from a hundred on."""
    if not math.isfinite(value):
        return str(value)
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f}"


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample that ``share`` (0 to 1) of all are at or below (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """Draw the figures as a Markdown table."""
    lines = ["| part | what | measured | target | verdict | how |", "|---|---|--:|--:|---|---|"]
    for figure in figures:
        measured = f"{number(figure.value)} {figure.unit}".strip()
        cells = (figure.part, figure.what, measured, figure.aim, figure.verdict, figure.detail)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
