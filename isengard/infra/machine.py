"""What this machine calls itself: measurements are only compared with those of the same one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from isengard.infra.gpu import Gpu

_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


def machine_name(gpu: Gpu | None) -> str:
    """Return the GPU's name; without one the processor's, with the number of cores."""
    if gpu:
        return gpu.name
    try:
        found = _MODEL.search(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    cores = os.cpu_count() or 1
    return f"{found[1].strip() if found else 'processor'}, {cores} {'core' if cores == 1 else 'cores'}"
