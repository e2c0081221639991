"""Half-written files: how they are named, and which of them a crash left behind."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

SUFFIX = ".partial"
STALE_SECONDS = 3600.0  # another machine on the same volume may be writing; no file takes that long
_OWNER = re.compile(rf"\.(?P<host>[0-9A-Za-z-]+)_(?P<pid>\d+)\.[0-9a-f]{{8}}{re.escape(SUFFIX)}\Z")


def partial_name(name: str) -> str:
    """Name a hidden temporary file after its target and the process that writes it."""
    return f".{name[:120]}.{_host()}_{os.getpid()}.{os.urandom(4).hex()}{SUFFIX}"


def is_leftover(path: Path) -> bool:
    """Tell whether nobody writes this temporary file any more. To be asked before this process writes any."""
    owner = _OWNER.search(path.name)
    if owner is None:
        return False
    if owner["host"] == _host() and _is_gone(int(owner["pid"])):
        return True
    try:
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return False


def is_abandoned(path: Path) -> bool:
    """Tell whether a name was claimed with an empty file that nobody will fill any more."""
    try:
        told = path.stat()
    except FileNotFoundError:
        return False
    return told.st_size == 0 and time.time() - told.st_mtime > STALE_SECONDS


def _is_gone(pid: int) -> bool:
    if pid == os.getpid():  # in a container every start has the same pid
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    return re.sub(r"[^0-9A-Za-z-]", "-", socket.gethostname())[:60]
