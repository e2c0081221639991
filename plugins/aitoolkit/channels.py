"""AI-Toolkit's two structured channels: the job table, which it is also asked through, and its log of the loss."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TABLE = """CREATE TABLE Job(id TEXT PRIMARY KEY, status TEXT DEFAULT 'queued', stop INT DEFAULT 0,
return_to_queue INT DEFAULT 0, step INT DEFAULT 0, info TEXT DEFAULT '', speed_string TEXT DEFAULT '',
save_now INT DEFAULT 0, sample_now INT DEFAULT 0)"""
JOB_ID = "isengard"
TIMEOUT_SECONDS = 2.0
Wish = Literal["stop", "save_now", "sample_now"]


@dataclass(frozen=True)
class JobRow:
    """What it says of itself; ``status`` stays 'queued' where it does not use the table."""

    status: str = "queued"
    info: str = ""
    step: int = 0
    speed: str = ""
    save_now: bool = False
    sample_now: bool = False


@dataclass(frozen=True)
class LossRow:
    """One step's numbers; ``step`` counts the updates that were made, as the bar does."""

    step: int
    loss: float
    learning_rate: float


class JobTable:
    """A table of one row, made anew for each start: AI-Toolkit only updates it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = JobRow()

    def create(self) -> None:
        """Make it; what an earlier start left is gone."""
        for name in ("", "-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + name).unlink(missing_ok=True)
        with closing(self._open()) as db, db:
            db.execute(TABLE)
            db.execute("INSERT INTO Job(id) VALUES (?)", (JOB_ID,))

    def read(self) -> JobRow:
        """Return its row; the one before where the file is in use or not there."""
        try:
            with closing(self._open()) as db:
                found = db.execute("SELECT status, info, step, speed_string, save_now, sample_now FROM Job").fetchone()
        except sqlite3.Error:
            return self._last
        if found:
            status, words, step, speed, save, sample = found
            self._last = JobRow(status, words or "", int(step or 0), speed or "", bool(int(save)), bool(int(sample)))
        return self._last

    def ask(self, wish: Wish) -> bool:
        """Set a flag that it looks at after each step; tell whether that went."""
        try:
            with closing(self._open()) as db, db:
                db.execute(f"UPDATE Job SET {wish} = 1 WHERE id = ?", (JOB_ID,))  # noqa: S608 - one of three words
        except sqlite3.Error:
            return False
        return True

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=TIMEOUT_SECONDS)


def losses_after(path: Path, step: int) -> Iterator[LossRow]:
    """Yield what its log has after so many updates; nothing where there is no log or it is in use.

    The log counts from 0 the step that is at work, so that its step N is the update N + 1.
    """
    query = """SELECT step, MAX(CASE key WHEN 'loss/loss' THEN value_real END),
    MAX(CASE key WHEN 'learning_rate' THEN value_real END) FROM metrics WHERE step >= ? GROUP BY step ORDER BY step"""
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)) as db:
            rows = db.execute(query, (step,)).fetchall()
    except sqlite3.Error:
        return
    for number, loss, rate in rows:
        if loss is not None:
            yield LossRow(int(number) + 1, float(loss), float(rate or 0))
