"""The arbiter: hands out leases of the accelerator, or of main memory where there is none, first come first served."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from isengard.domain.lease import GpuLease, Needs, Stop
from isengard.errors import Cancelled, OutOfMemory, OutOfVram

GB = 2**30
RAM_SHARE = 0.7  # of all main memory: the rest is for the app, the page cache and the person's other programs


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as nvidia-smi reports it."""

    name: str
    vram_gb: float


def find_gpu() -> Gpu | None:
    """Return the first NVIDIA GPU, without loading torch; None where there is none."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    line = found.stdout.strip().splitlines()
    if not line:
        return None
    name, _, megabytes = line[0].rpartition(",")
    return Gpu(name.strip(), round(float(megabytes) / 1024, 1))


class Arbiter:
    """Jobs that fit together run together; others wait in order, and say for whom."""

    def __init__(
        self,
        gpu: Gpu | None,
        memory_budget_gb: float | None,
        release_idle: Callable[[], None],
        resident: Callable[[], Sequence[Needs]] = tuple,
    ) -> None:
        self.gpu = gpu
        self.ram_gb = memory_budget_gb or psutil.virtual_memory().total / GB * RAM_SHARE
        self.vram_gb = gpu.vram_gb if gpu else 0.0
        self._release_idle = release_idle
        self._resident = resident
        self._held: dict[str, tuple[Needs, str]] = {}
        self._line: list[str] = []
        self._changed = threading.Condition()

    @property
    def device(self) -> str:
        """``cuda`` or ``cpu``."""
        return "cuda" if self.gpu else "cpu"

    def check(self, needs: Needs) -> None:
        """Raise OutOfVram or OutOfMemory when this can never fit on this machine."""
        if self.gpu and needs.vram_gb > self.vram_gb:
            raise OutOfVram(
                f"This needs {needs.vram_gb:.0f} GB of GPU memory; the {self.gpu.name} has {self.vram_gb:.0f} GB.",
                "Choose a smaller base model, resolution or rank, or a machine with a larger GPU.",
            )
        if needs.ram_gb > self.ram_gb:
            raise OutOfMemory(
                f"This needs {needs.ram_gb:.1f} GB of memory; the budget is {self.ram_gb:.1f} GB.",
                "Choose a smaller base model or resolution, or raise ISENGARD_MEMORY_BUDGET_GB.",
            )

    @contextmanager
    def lease(
        self, job_id: str, title: str, needs: Needs, stop: Stop, on_wait: Callable[[str], None]
    ) -> Iterator[GpuLease]:
        """Wait until the job fits, then yield its lease; raise Cancelled when asked to stop while waiting."""
        self.check(needs)
        with self._changed:
            self._line.append(job_id)
        try:
            self._wait(job_id, title, needs, stop, on_wait)
            yield GpuLease(job_id, needs, self.device)
        finally:
            with self._changed:
                self._held.pop(job_id, None)
                if job_id in self._line:
                    self._line.remove(job_id)
                self._changed.notify_all()

    def _wait(self, job_id: str, title: str, needs: Needs, stop: Stop, on_wait: Callable[[str], None]) -> None:
        said = ""
        released = False
        while True:
            with self._changed:
                free = self._line[0] == job_id and self._fits([needs])
                if free and (released or self._fits([needs, *self._kept_by_idle(needs)])):
                    self._line.remove(job_id)
                    self._held[job_id] = (needs, title)
                    return
                names = ", ".join(held for _, held in self._held.values()) or "the job before it"
            if stop.cancel.is_set():
                raise Cancelled("Cancelled while it waited.")
            if free:  # only what idle backends keep is in the way
                self._release_idle()
                released = True
                continue
            if said != names:
                said = names
                on_wait(f"Waiting for the {'GPU' if self.gpu else 'memory'}: {names}")
                self._release_idle()
            with self._changed:
                self._changed.wait(0.25)

    def _kept_by_idle(self, needs: Needs) -> list[Needs]:
        shared = {held.backend for held, _ in self._held.values() if held.shared}
        return [kept for kept in self._resident() if kept.backend not in shared | {needs.backend}]

    def _fits(self, wanted: Sequence[Needs]) -> bool:
        together = _together([*wanted, *(held for held, _ in self._held.values())])
        return (not self.gpu or together.vram_gb <= self.vram_gb) and together.ram_gb <= self.ram_gb


def _together(needs: Sequence[Needs]) -> Needs:
    """Add up what runs take at once; of those that share their memory, the largest counts."""
    sharing: dict[str, list[Needs]] = {}
    for number, one in enumerate(needs):
        sharing.setdefault(one.backend if one.shared else f"#{number}", []).append(one)
    return Needs(
        vram_gb=sum(max(one.vram_gb for one in group) for group in sharing.values()),
        ram_gb=sum(max(one.ram_gb for one in group) for group in sharing.values()),
    )
