"""A process that is started again whenever it ends, as an orchestrator does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from own_app import KEPT, ROOT, free_port

HEALTH_SECONDS = 120.0


class KeptAlive:
    """``with KeptAlive(volume, environment) as app``: an Isengard whose ``url`` stays the same over its restarts."""

    def __init__(self, volume: Path, environment: dict[str, str], name: str = "app", *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starts = 0
        self._web = "--worker-only" not in options
        self._command = [sys.executable, str(ROOT / "app.py"), *(options or ("--port", str(self.port)))]
        self._said = volume.with_name(f"{volume.name}-{name}.log")
        logs = volume.with_name(f"{volume.name}-{name}-logs")
        temporary = volume.with_name(f"{volume.name}-{name}-tmp")
        self._environment = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "VOLUME_ROOT": str(volume),
            "ISENGARD_LOG_DIR": str(logs),
            "ISENGARD_TMP_DIR": str(temporary),
            **environment,
        }
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the present life, if one lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def __enter__(self) -> Self:
        self._thread.start()
        if self._web:
            self.await_health()
        return self

    def await_health(self) -> None:
        """Wait until it serves; raise TimeoutError."""
        deadline = time.monotonic() + HEALTH_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise TimeoutError(f"The app did not answer:\n{self._said.read_text(errors='replace')[-2000:]}")

    def kill(self) -> bool:
        """Kill the present life; tell whether there was one."""
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid is not None

    def _keep(self) -> None:
        while not self._ending.is_set():
            self._process = _start(self._command, self._environment, self._said)
            self.starts += 1
            self._process.wait()
            self._ending.wait(0.5)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(10)


def _start(command: Sequence[str], environment: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    with said.open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
