"""The log of one job for people: what happened, without every step, and what its trainer printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from isengard.domain.base import Value
from isengard.domain.event import Failed, Metric
from isengard.domain.progress import ProgressEntry

_COUNT = re.compile(r"\d+/\d+")
TAIL_BYTES = 40_000  # a trainer's whole output can be many megabytes


class LogLine(Value):
    """Something that happened, and when."""

    at: datetime
    text: str


class JobLog(Value):
    """``printed`` is the end of what the trainer printed, where it prints anything."""

    items: tuple[LogLine, ...]
    printed: tuple[str, ...] = ()


def log_of(events: Iterable[ProgressEntry], printed: Path | None) -> JobLog:
    """Return the log; of equal lines that follow each other the first is kept, of a count that goes up the last."""
    lines: list[LogLine] = []
    for entry in events:
        text = _text(entry)
        if not text or (lines and lines[-1].text == text):
            continue
        if lines and _COUNT.search(text) and _COUNT.sub("", lines[-1].text) == _COUNT.sub("", text):
            lines.pop()
        lines.append(LogLine(at=entry.timestamp, text=text))
    return JobLog(items=tuple(lines), printed=_tail(printed) if printed else ())


def _text(entry: ProgressEntry) -> str:
    if isinstance(entry.event, Metric):
        return ""
    if isinstance(entry.event, Failed):
        return f"{entry.event.error.message} {entry.event.error.hint}".strip()
    return entry.message


def _tail(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return tuple(lines[1:] if size > TAIL_BYTES else lines)
