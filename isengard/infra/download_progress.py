"""How far a download is: bytes, speed, time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from isengard.infra.download_plan import Item

WINDOW_SECONDS = 10.0  # the speed is that of this last stretch


@dataclass(frozen=True)
class FileReport:
    """Bytes of one file; ``total`` is None where nobody said its size. ``doing``: what happens to it now."""

    done: int
    total: int | None
    doing: str


@dataclass(frozen=True)
class Report:
    """Bytes of all files, and each by its name."""

    done: int
    total: int
    bytes_per_second: float
    files: Mapping[str, FileReport]

    @property
    def eta_seconds(self) -> float | None:
        """Time left at the present speed, None while there is none."""
        return (self.total - self.done) / self.bytes_per_second if self.bytes_per_second > 0 and self.total else None

    @property
    def message(self) -> str:
        """For people: ``ae.safetensors and 2 more: 1.2 of 19.3 GB, 84 MB/s``."""
        busy = [name.rsplit("/", 1)[-1] for name, file in self.files.items() if file.doing == "fetching"]
        checked = [name.rsplit("/", 1)[-1] for name, file in self.files.items() if file.doing == "checking"]
        if not busy and checked:
            return f"Checking {checked[0]}"
        lead = f"{busy[0]}{f' and {len(busy) - 1} more' if busy[1:] else ''}" if busy else "Starting"
        return f"{lead}: {amount(self.done, self.total)}, {self.bytes_per_second / 2**20:.1f} MB/s"


def amount(done: int, total: int) -> str:
    """Return ``1.2 of 19.3 GB``, in the unit that suits the total."""
    unit, size = next(
        (pair for pair in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)) if total >= pair[1]), ("bytes", 1)
    )
    digits = 0 if size == 1 else 1
    return f"{done / size:.{digits}f} of {total / size:.{digits}f} {unit}"


@dataclass
class Tally:
    """Counts. Used from one event loop alone."""

    items: list[Item]
    about: int = 0
    _done: dict[str, int] = field(default_factory=dict)
    _sizes: dict[str, int | None] = field(default_factory=dict)
    _doing: dict[str, str] = field(default_factory=dict)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Begin with what is there already."""
        for item in self.items:
            self._sizes[item.name] = item.size
            self._done[item.name] = item.target.stat().st_size if item.here else item.begun
            self._doing[item.name] = "done" if item.here else "waiting"
        self._fetched = 0

    def doing(self, name: str, what: str) -> None:
        """Say what happens to a file: ``waiting``, ``fetching``, ``checking``, ``done``."""
        self._doing[name] = what

    def size(self, name: str, size: int) -> None:
        """Take a size that only the server knew."""
        self._sizes[name] = size

    def at(self, name: str, done: int) -> None:
        """Set how many bytes of a file are there: less than before when it starts anew."""
        self._fetched += max(0, done - self._done[name])
        self._done[name] = done

    def report(self) -> Report:
        """Return the present state."""
        now = time.monotonic()
        self._recent.append((now, self._fetched))
        while now - self._recent[0][0] > WINDOW_SECONDS and len(self._recent) > 2:
            self._recent.popleft()
        since, then = self._recent[0]
        speed = (self._fetched - then) / (now - since) if now > since else 0.0
        files = {name: FileReport(self._done[name], self._sizes[name], self._doing[name]) for name in self._done}
        done = sum(self._done.values())
        known = sum(size or 0 for size in self._sizes.values())
        total = max(known, done) if all(self._sizes.values()) else max(known, done, self.about)
        return Report(done, total, speed, files)
