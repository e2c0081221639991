"""Locks between threads and between processes on one volume: a file for each, whose content does not matter."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNUSED_SECONDS = 86_400.0


@contextmanager
def lock_held(path: Path) -> Iterator[None]:
    """Hold the lock; wait for it as long as it takes."""
    while True:
        # Each opening has a lock of its own, so that this holds between threads too.
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file.fileno()):  # else it was swept away while we waited
                yield
                return


def sweep_locks(folder: Path) -> None:
    """Delete the locks that nobody has used for a day."""
    for path in folder.glob("*"):
        with path.open("r") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime < UNUSED_SECONDS:
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            path.unlink(missing_ok=True)


def _is_still(path: Path, opened: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(opened))
    except FileNotFoundError:
        return False
