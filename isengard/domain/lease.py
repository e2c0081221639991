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
    backend: str = ""  # whose memory it is: what it keeps while idle is used again by its own next run
    shared: bool = False  # all runs of this backend use the same memory: one server draws for all of them


@dataclass(frozen=True)
class GpuLease:
    """Permission to use the accelerator (or, without one, the cores and memory) until it is released."""

    job_id: str
    needs: Needs
    device: str = "cpu"


@dataclass(frozen=True)
class Stop:
    """What a run is asked to do: ``cancel`` throws its work away, ``keep`` ends early with what is trained.

    ``save`` and ``sample`` ask for a checkpoint or sample pictures now; the backend clears them once it has heard.
    """

    cancel: threading.Event = field(default_factory=threading.Event)
    keep: threading.Event = field(default_factory=threading.Event)
    save: threading.Event = field(default_factory=threading.Event)
    sample: threading.Event = field(default_factory=threading.Event)
