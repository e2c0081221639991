"""What a run needs, the permission to take it, and how it is asked to end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Needs:
    """What a run takes at its peak; estimates, in GB of 2**30 bytes and seconds."""

    vram_gb: float = 0
    ram_gb: float = 0
    disk_gb: float = 0
    seconds: float = 0


@dataclass(frozen=True)
class GpuLease:
    """Permission to use the accelerator (or, without one, the cores and memory) until it is released."""

    job_id: str
    needs: Needs
    device: str = "cpu"


@dataclass(frozen=True)
class Stop:
    """How a run is asked to end: ``cancel`` throws its work away, ``keep`` ends early with what is trained."""

    cancel: threading.Event = field(default_factory=threading.Event)
    keep: threading.Event = field(default_factory=threading.Event)
