"""The job that does nothing, as rq and arq find it by name, and what all contenders report."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

finished_at: list[float] = []


@dataclass(frozen=True)
class Task:
    """What a contender is told on its command line: server, how many jobs, how many may run at once."""

    url: str
    jobs: int
    workers: int

    @classmethod
    def given(cls) -> Task:
        """Read the command line."""
        return cls(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))


@dataclass(frozen=True)
class Times:
    """What a contender measured, in seconds: all submissions one by one; then all jobs, first to last."""

    submit: float
    drain: float

    def tell(self) -> None:
        """Print as the last line of standard output."""
        print(json.dumps(asdict(self)))


def nothing(number: int) -> int:
    """Do nothing; note when."""
    finished_at.append(time.monotonic())
    return number


async def nothing_async(_context: dict[str, Any], number: int) -> int:
    """Do nothing on an event loop."""
    return nothing(number)
