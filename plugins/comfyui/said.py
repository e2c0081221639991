"""What the server prints: cleaned, told to the log, and searched for the warnings that nothing else tells."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable

KEPT_LINES = 4000
GRACE_SECONDS = 0.1
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BAR = re.compile(r"\d+%\|")  # tqdm draws one line a step
_ENDED = "Prompt executed in"
_NOT_LOADED = re.compile(r"(?i)lora key not loaded:?\s*(\S+)")
# These name the model's weight, not the LoRA's key.
_WRONG_SHAPE = re.compile(r"ERROR lora .*shape|\bNOT LOADED:? \S+|SHAPE MISMATCH \S+")


class Said:
    """The last lines, numbered. Thread-safe."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT_LINES)
        self._number = 0
        self._ended = 0
        self._changed = threading.Condition()

    def hear(self, raw: str) -> None:
        """Take a line as it came."""
        text = _COLOUR.sub("", raw).strip()
        if not text or _BAR.search(text):
            return
        with self._changed:
            self._number += 1
            self._lines.append((self._number, text))
            if _ENDED in text:
                self._ended = self._number
                self._changed.notify_all()
        self._tell(text)

    @property
    def now(self) -> int:
        """Number of the last line."""
        with self._changed:
            return self._number

    def tail(self, count: int = 3) -> str:
        """Return the last lines as one."""
        with self._changed:
            lines = [text for _, text in list(self._lines)[-count:]]
        return " | ".join(lines) or "it said nothing"

    def since(self, number: int, submitted: int, wait_seconds: float) -> list[str]:
        """Return the lines after ``number``, once a prompt has ended that was submitted at line ``submitted``."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended > submitted, wait_seconds)
            self._changed.wait(GRACE_SECONDS)  # the end that was heard may be that of the prompt before
            return [text for line, text in self._lines if line > number]


def not_loaded(lines: list[str], keys: frozenset[str]) -> list[str]:
    """Return which of a LoRA's keys these lines say were not loaded, and the lines that tell of a wrong shape."""
    named = [found[1] for text in lines if (found := _NOT_LOADED.search(text))]
    return [key for key in named if key in keys] + [text for text in lines if _WRONG_SHAPE.search(text)]
