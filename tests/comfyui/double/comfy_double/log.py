"""The log on stderr as ComfyUI writes it: coloured level tags even into a pipe, and a ring of the last 300 entries."""

from __future__ import annotations

import sys
from collections import deque
from datetime import datetime

RESET = "\033[0m"
COLOURS = {"INFO": "\033[32m", "WARNING": "\033[1m\033[33m", "ERROR": "\033[1m\033[31m"}


class Log:
    """Writes lines and keeps them for /internal/logs/raw. Before 0.5 lines had no tags and no colours."""

    def __init__(self, *, coloured: bool, to_stdout: bool = False) -> None:
        self._coloured = coloured
        self._stream = sys.stdout if to_stdout else sys.stderr
        self.entries: deque[dict[str, str]] = deque(maxlen=300)

    def write(self, level: str, message: str, colour: str = "") -> None:
        if self._coloured:
            painted = f"{colour}{message}{RESET}" if colour else message
            message = f"{COLOURS[level]}[{level}]{RESET} {painted}"
        self._put(message + "\n")

    def say(self, message: str, colour: str = "") -> None:
        self.write("INFO", message, colour)

    def bar(self, done: int, total: int) -> None:
        """Draw a progress bar over the one before it, by a carriage return as tqdm does."""
        filled = "█" * (10 * done // total)
        end = "\n" if done == total else ""
        self._put(f"\r{100 * done // total:3d}%|{filled:<10}| {done}/{total} [00:00<00:00,  1.00it/s]{end}")

    def _put(self, text: str) -> None:
        if text.startswith("\r") and self.entries and not self.entries[-1]["m"].endswith("\n"):
            self.entries.pop()
        self.entries.append({"t": datetime.now().isoformat(), "m": text})  # noqa: DTZ005 - as the server: local time
        self._stream.write(text)
        self._stream.flush()
