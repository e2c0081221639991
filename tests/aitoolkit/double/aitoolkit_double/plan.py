"""What the stand-in is to do, read from the file that AITOOLKIT_DOUBLE_PLAN names; without one it trains well."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """``at`` is the number of steps done before it fails: -1 is before the model is loaded."""

    step_seconds: float = 0.005
    start_seconds: float = 0.0
    save_seconds: float = 0.0
    replays: str = ""  # a captured output to repeat byte for byte in place of all else
    at: int | None = None
    says: tuple[str, ...] = ()
    code: int | None = None
    signal: int | None = None
    hangs: bool = False
    not_numbers_from: int | None = None
    skips_from: int | None = None  # steps for which video memory does not suffice
    found: int | None = None  # pictures that it says it found
    forgets: bool = False  # begins from nothing whatever lies there
    spoils: str = ""  # what is wrong with the final file
    arch: str = ""  # what the final file says it was trained as
    tables: bool = True  # uses its job table and its log of the loss
    once: str = ""  # a file that it makes at its first start; it does well where it is


def read_plan() -> Plan:
    """Read it."""
    path = os.environ.get("AITOOLKIT_DOUBLE_PLAN", "")
    told = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    plan = Plan(**{**told, "says": tuple(told.get("says", ()))})
    if plan.once:
        mark = Path(plan.once)
        if mark.exists():
            return Plan(step_seconds=plan.step_seconds)
        mark.touch()
    return plan
