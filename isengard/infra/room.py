"""Room on the volume: what is free, what is kept in reserve, and the quota."""

from __future__ import annotations

import shutil
from pathlib import Path

from isengard.errors import DiskFull, QuotaExceeded
from isengard.infra.disk import disk_errors

GB = 2**30


class Room:
    """``over_quota`` is set by whoever looks at the usage from time to time."""

    def __init__(self, root: Path, min_free_gb: float) -> None:
        self.root = root
        self.min_free_gb = min_free_gb
        self.over_quota = False

    def free_gb(self) -> float:
        """Free room on the volume, in GB of 2**30 bytes."""
        with disk_errors(self.root):
            return shutil.disk_usage(self.root).free / GB

    def has_room(self) -> bool:
        """Tell whether the reserve is there: without it nothing new is begun."""
        return not self.over_quota and self.free_gb() >= self.min_free_gb

    def require_space(self, gb: float = 0.0) -> None:
        """Raise DiskFull unless ``gb`` and the reserve fit, QuotaExceeded when the quota is used up."""
        if self.over_quota:
            raise QuotaExceeded(
                "Isengard's quota of room is used up.",
                "Delete pictures or LoRAs, clean up in the System tab, or raise ISENGARD_QUOTA_GB.",
            )
        free = self.free_gb()
        if free < gb + self.min_free_gb:
            raise DiskFull(
                f"The volume has {_told(free)} left; this needs {_told(gb + self.min_free_gb)}.",
                "Delete pictures or LoRAs, clean up in the System tab, or use a larger volume.",
            )


def _told(gb: float) -> str:
    return f"{gb:.1f} GB" if gb >= 1 else f"{gb * 1024:.0f} MB"
