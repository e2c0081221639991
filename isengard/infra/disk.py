"""The one place where the operating system's disk errors become ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isengard.errors import DiskFull, ReadOnlyVolume


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Map ENOSPC and EDQUOT to DiskFull, EROFS and EACCES to ReadOnlyVolume."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"The volume {root} is full; nothing was changed.",
                "Delete pictures or LoRAs, clean up in the System tab, or use a larger volume; then try again.",
            ) from error
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM} or not root.is_dir():
            raise ReadOnlyVolume(
                f"The volume {root} does not take writes: {error.strerror}.",
                "Check its mount and its permissions, or set VOLUME_ROOT to a folder that can be written.",
            ) from error
        raise
