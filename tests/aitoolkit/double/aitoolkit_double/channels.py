"""The job table and the log of the loss, written as AI-Toolkit writes them."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, wall_time REAL NOT NULL)",
    """CREATE TABLE IF NOT EXISTS metrics (step INTEGER NOT NULL, key TEXT NOT NULL, value_real REAL, value_text TEXT,
    PRIMARY KEY (step, key))""",
)
FLUSH_SECONDS = 0.25


class Table:
    """Updates the one row of its id; does nothing where there is no file or no id, as the original."""

    def __init__(self, path: str, job_id: str) -> None:
        self._path, self._id = path, job_id
        self.used = bool(job_id) and Path(path).is_file()

    def put(self, **values: object) -> None:
        """Write columns."""
        if not self.used:
            return
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            for name, value in values.items():
                db.execute(f"UPDATE Job SET {name} = ? WHERE id = ?", (str(value), self._id))

    def wished(self, name: str) -> bool:
        """Tell whether a flag is set."""
        if not self.used:
            return False
        with closing(sqlite3.connect(self._path, timeout=30)) as db:
            found = db.execute(f"SELECT {name} FROM Job WHERE id = ?", (self._id,)).fetchone()
        return bool(found) and found[0] == 1


class LossLog:
    """Rows are written every quarter of a second, as the original's."""

    def __init__(self, path: Path, *, used: bool) -> None:
        self._rows: list[tuple[int, str, float]] = []
        self._flushed = time.monotonic()
        self._db = sqlite3.connect(path, timeout=30) if used else None
        if self._db:
            self._db.execute("PRAGMA journal_mode=WAL")
            for statement in SCHEMA:
                self._db.execute(statement)
            self._db.commit()

    def add(self, step: int, loss: float, rate: float) -> None:
        """Log a step."""
        self._rows += [(step, "learning_rate", rate), (step, "loss/loss", loss)]
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        self._flushed = time.monotonic()
        if self._db:
            with self._db:
                self._db.executemany(
                    "INSERT OR REPLACE INTO steps VALUES (?, ?)", [(r[0], time.time()) for r in self._rows]
                )
                self._db.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, NULL)", self._rows)
        self._rows.clear()
