"""An Isengard of one's own for a script: a free port, a folder of its own, ended with the script."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "HF_HOME", "TMPDIR")


class StartFailed(Exception):
    """The app did not answer; the message holds what it said."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnApp:
    """``with OwnApp(volume) as app`` gives ``app.url``, ``app.pid`` and ``app.seconds_to_health``."""

    def __init__(self, volume: Path, **environment: str) -> None:
        self.volume = volume
        self.url = ""
        self.seconds_to_health = 0.0
        self._environment = environment
        self._said = volume.with_name(volume.name + ".log")

    @property
    def pid(self) -> int:
        """Process id of the app."""
        return self._process.pid

    @property
    def said(self) -> str:
        """Return what it printed so far."""
        return self._said.read_text(errors="replace")

    def await_end(self, seconds: float) -> int:
        """Wait until it has ended; return its status, or raise subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def __enter__(self) -> Self:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            "VOLUME_ROOT": str(self.volume),
            "ISENGARD_LOG_DIR": str(self.volume.with_name(self.volume.name + "-logs")),
            "ISENGARD_TMP_DIR": str(self.volume.with_name(self.volume.name + "-tmp")),
            **self._environment,
        }
        self.volume.mkdir(parents=True, exist_ok=True)
        with self._said.open("wb") as said:
            started = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "app.py"), "--port", str(port)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        try:
            self._await_health(started)
        except BaseException:
            self._end()
            raise
        return self

    def _await_health(self, started: float) -> None:
        while time.perf_counter() - started < 60:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health", timeout=2, trust_env=False).status_code == 200:
                    self.seconds_to_health = time.perf_counter() - started
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise StartFailed("The app did not start.\n" + "\n".join(self.said.strip().splitlines()[-12:]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
