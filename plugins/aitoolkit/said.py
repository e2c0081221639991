"""What AI-Toolkit prints, read as it comes: bars, phases, and the signs of trouble that only its words give.

Bars are redrawn with a carriage return and move the cursor; on some systems they are drawn with other characters, so
that only their numbers are read.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

KEPT_LINES = 400
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_BAR = re.compile(
    r"(?P<name>[^\r\n|]*?):?\s*(?P<share>\d{1,3})%\|[^|]*\|\s*(?P<done>\d+)/(?P<total>\d+)\s+"
    r"\[(?P<elapsed>[\d:]+)<(?P<eta>[\d:?]+),\s*(?P<rate>[\d.]+|\?)\s*(?P<unit>it/s|s/it)(?:,\s*(?P<after>[^\]]*))?\]"
)
_EMPTY_BAR = re.compile(r"\b\d+it \[")
_RATE = re.compile(r"\blr: (\S+)")
_LOSS = re.compile(r"\bloss: ([-+]?(?:\d+\.\d+e[-+]\d+|nan|inf))")
_FOUND = re.compile(r"^\s*-\s+Found (\d+) images$")
_BAD = re.compile(r"^Error processing image: (.+)$")
_FAILED = re.compile(r"^Error running job: (.*)$")
_RESUMED = re.compile(r"^Found step (\d+) in metadata, starting from there")
_EXCEPTION = re.compile(r"^(?:[\w]+\.)*\w*(?:Error|Exception|Interrupt|OutOfMemory\w*|Enabled): .+")
_PHASE = re.compile(
    r"^(?:Loading|Quantizing|Moving|Making|Preparing|Merging|Text Encoder|Caching|Generating|Compiling|create LoRA)"
)


@dataclass(frozen=True)
class Bar:
    """A bar's numbers; ``loss`` and ``learning_rate`` only on that of the training."""

    name: str
    done: int
    total: int
    steps_per_second: float = 0.0
    loss: float | None = None
    learning_rate: float = 0.0


def bar_in(text: str) -> Bar | None:
    """Read a bar, None where there is none."""
    found = _BAR.search(text)
    return _bar(found) if found else None


def _bar(found: re.Match[str]) -> Bar:
    after = found["after"] or ""
    loss, rate = _LOSS.search(after), _RATE.search(after)
    return Bar(
        name=found["name"].strip(),
        done=int(found["done"]),
        total=int(found["total"]),
        steps_per_second=_speed(found["rate"], found["unit"]),
        loss=float(loss[1]) if loss else None,
        learning_rate=float(rate[1]) if rate else 0.0,
    )


def _speed(rate: str, unit: str) -> float:
    if rate == "?" or not float(rate):
        return 0.0
    return float(rate) if unit == "it/s" else 1 / float(rate)


def spoken_speed(text: str) -> float:
    """Read the job table's speed, such as ``2.22 iter/sec`` or ``1.95 sec/iter``, in steps a second; 0 if unknown."""
    number, _, unit = text.partition(" ")
    try:
        value = float(number)
    except ValueError:
        return 0.0
    if value <= 0:
        return 0.0
    return value if unit == "iter/sec" else 1 / value


class Said:
    """Thread-safe: one thread hears, another asks. ``tell`` gets every line that is no bar."""

    def __init__(self, tell: Callable[[str], None], training: str) -> None:
        self._tell = tell
        self._training = training
        self._guard = threading.Lock()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._in_config = False
        self.bar: Bar | None = None  # of anything but the training
        self.phase = ""
        self.step: Bar | None = None  # the training's own
        self.first: Bar | None = None  # of its first step, which its log leaves out
        self.found: list[int] = []
        self.unreadable: list[str] = []
        self.failed = ""
        self.exception = ""
        self.resumed_at: int | None = None
        self.not_numbers = 0
        self.out_of_memory = 0
        self.stopped = False
        self.saving = False
        self.words = 0  # pieces heard, as a sign of life

    def hear(self, piece: str) -> None:
        """Take what stood between two line ends or carriage returns."""
        text = _ESCAPE.sub("", piece).rstrip()
        with self._guard:
            self.words += 1
            if not text.strip() or self._is_config(text):
                return
            if found := _BAR.search(text):
                self._note_bar(_bar(found))
                text = text[found.end() :].strip()  # a bar ends no line: what is printed next stands behind it
            if not text or _EMPTY_BAR.search(text):
                return
            self._lines.append(text)
            self._note(text)
        self._tell(text)

    def tail(self, count: int = 3) -> str:
        """Return the last lines as one."""
        with self._guard:
            return " | ".join(line.strip() for line in list(self._lines)[-count:]) or "it said nothing"

    def everything(self) -> str:
        """Return the last lines, one under the other."""
        with self._guard:
            return "\n".join(self._lines)

    def _is_config(self, text: str) -> bool:
        """Tell whether it is part of the config, which it prints in full."""
        if text == "{":
            self._in_config = True
        elif text == "}" and self._in_config:
            self._in_config = False
            return True
        return self._in_config

    def _note_bar(self, bar: Bar) -> None:
        if bar.name != self._training and bar.loss is None:
            self.bar = bar
            return
        self.step = bar
        if self.first is None and bar.loss is not None:
            self.first = bar

    def _note(self, text: str) -> None:
        if found := _FOUND.match(text):
            self.found.append(int(found[1]))
        elif bad := _BAD.match(text):
            self.unreadable.append(bad[1].replace("\\", "/").rpartition("/")[2])
        elif failed := _FAILED.match(text):
            self.failed = failed[1]
            self.stopped = failed[1] == "Job stopped"
        elif resumed := _RESUMED.match(text):
            self.resumed_at = int(resumed[1])
        elif _EXCEPTION.match(text):
            self.exception = text
        elif _PHASE.match(text):
            self.phase, self.bar = text, None
        else:
            self._note_sign(text)

    def _note_sign(self, text: str) -> None:
        if text == "Job stopped":
            self.stopped = True
        elif "loss is nan" in text:
            self.not_numbers += 1
        elif "OOM during training step, skipping" in text:
            self.out_of_memory += 1
        elif text.startswith("Saving at step"):
            self.saving = True
        elif text.startswith(("Saved optimizer to", "Could not save optimizer")):
            self.saving = False
