"""Child processes whose app is gone: how they are recognised, and ended.

Children end with the app by themselves (the kernel's parent-death signal, or the end of their standard input). This
finds those that did not: a child that missed it, a grandchild, a system without that signal.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import psutil
import structlog

MARK = "ISENGARD_CHILD_OF"  # every child, and every child of one, inherits it
GRACE_SECONDS = 3.0
log = structlog.get_logger("infra.orphans")


def mark_children(volume: Path) -> None:
    """Mark what this process starts from now on as its own."""
    me = psutil.Process()
    os.environ[MARK] = f"{_place(volume)} {me.pid} {me.create_time():.2f}"


def end_orphans(volume: Path) -> list[int]:
    """End processes of this volume whose app is gone; return their ids."""
    found = [process for process in psutil.process_iter() if _is_orphan(process, _place(volume))]
    for process in found:
        _ask_to_end(process)
    _, alive = psutil.wait_procs(found, GRACE_SECONDS)
    for process in alive:
        process.kill()
    return [process.pid for process in found]


def _place(volume: Path) -> str:
    """Name the volume, and the process namespace: another container's ids mean nothing here."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().as_posix()
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{volume.resolve()} {namespace}".encode()).hexdigest()[:16]


def _is_orphan(process: psutil.Process, place: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        told = process.environ().get(MARK, "").split(" ")
        return len(told) == 3 and told[0] == place and not _lives(int(told[1]), float(told[2]))
    except (psutil.Error, OSError, ValueError):  # gone meanwhile, or another user's
        return False


def _lives(pid: int, created: float) -> bool:
    try:
        owner = psutil.Process(pid)
        return bool(abs(owner.create_time() - created) < 0.1 and owner.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _ask_to_end(process: psutil.Process) -> None:
    try:
        log.warning("process.orphan_ended", pid=process.pid, name=process.name())
        process.terminate()
    except psutil.NoSuchProcess:
        return
