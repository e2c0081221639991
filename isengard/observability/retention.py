"""Log files: compressed after 7 days, deleted after 30."""

from __future__ import annotations

import gzip
import re
import shutil
import threading
from datetime import UTC, date, datetime
from pathlib import Path

COMPRESS_AFTER_DAYS = 7
DELETE_AFTER_DAYS = 30
SWEEP_SECONDS = 6 * 3600
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.log(\.gz)?\Z")


def keep_tidy(folder: Path) -> None:
    """Sweep now and every six hours, on a thread of its own."""

    def run() -> None:
        pause = threading.Event()
        while True:
            sweep(folder, datetime.now(UTC).date())
            pause.wait(SWEEP_SECONDS)

    threading.Thread(target=run, name="log-retention", daemon=True).start()


def sweep(folder: Path, today: date) -> None:
    """Compress and delete by the age in the file's name; a file that cannot be touched is left for the next sweep."""
    for path in folder.glob("*/*.log*"):
        found = _NAME.match(path.name)
        if not found:
            continue
        try:
            age = (today - date.fromisoformat(found[1])).days
            if age > DELETE_AFTER_DAYS:
                path.unlink()
            elif age > COMPRESS_AFTER_DAYS and path.suffix == ".log":
                _compress(path)
        except (OSError, ValueError):
            continue


def _compress(path: Path) -> None:
    target = path.with_name(path.name + ".gz")
    partial = target.with_suffix(".partial")
    with path.open("rb") as source, gzip.open(partial, "wb") as sink:
        shutil.copyfileobj(source, sink)
    partial.replace(target)
    path.unlink()
