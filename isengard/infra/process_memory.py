"""The most memory that a child process and what it starts have held: looked at from outside, now and then."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from pathlib import Path

import psutil

GB = 2**30
SECONDS_BETWEEN = 1.0  # between two looks at main memory
GPU_SECONDS_BETWEEN = 5.0  # nvidia-smi takes a tenth of a second of a core
_HIGH_WATER = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)


class PeakMemory:
    """``look`` often: it does nothing unless it is time.

    ``ram_gb`` is resident memory: the high-water mark of the process, which the system keeps, and what its children
    held at a look. Files that are mapped count. ``vram_gb`` is None where nobody tells what the process holds.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._next = self._next_gpu = 0.0
        self._tells_gpu = shutil.which("nvidia-smi") is not None
        self.ram_gb: float | None = None
        self.vram_gb: float | None = None
        with contextlib.suppress(OSError):  # not allowed everywhere; then an earlier run of a warm child counts too
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets the high-water mark

    def look(self) -> None:
        """Take note of what it holds now."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS_BETWEEN
        held = self._ram_gb()
        if held:
            self.ram_gb = max(self.ram_gb or 0.0, held)
        if self._tells_gpu and now >= self._next_gpu:
            self._next_gpu = now + GPU_SECONDS_BETWEEN
            on_gpu = self._vram_gb()
            if on_gpu is not None:
                self.vram_gb = max(self.vram_gb or 0.0, on_gpu)

    def last_look(self) -> None:
        """Take note once more, whatever the time."""
        self._next = 0.0
        self.look()

    def _ram_gb(self) -> float:
        try:
            process = psutil.Process(self._pid)
            own = _high_water(self._pid) or process.memory_info().rss
            return (own + sum(_rss(child) for child in process.children(recursive=True))) / GB
        except psutil.Error:  # it has ended
            return 0.0

    def _vram_gb(self) -> float | None:
        command = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
        try:
            family = {self._pid, *(child.pid for child in psutil.Process(self._pid).children(recursive=True))}
            told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
        except (OSError, subprocess.SubprocessError, psutil.Error):
            return None
        rows = [line.split(",") for line in told.stdout.splitlines() if line.count(",") == 1]
        held = [float(size) for pid, size in rows if pid.strip().isdigit() and int(pid) in family and _is_number(size)]
        return sum(held) / 1024 if held else None  # a container may number processes in its own way


def _high_water(pid: int) -> int:
    try:
        found = _HIGH_WATER.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdigit()
