"""For tests: a double of one's own on a free port, its plan, and the journal of what it was asked and did."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

CHECKOUT = Path(__file__).resolve().parents[1]


class PlanFile:
    """Writes the plan of a double and reads its journal; every write is seen at the double's next event."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path = path
        self._settings: dict[str, Any] = {"step_seconds": 0.002, **settings}
        self.write()

    @property
    def environment(self) -> dict[str, str]:
        return {"COMFYUI_DOUBLE_PLAN": str(self.path)}

    def write(self, *rules: dict[str, Any], **settings: Any) -> None:
        """Replace the rules; settings are kept unless they are named again."""
        self._settings |= settings
        fresh = self.path.with_suffix(".fresh")
        fresh.write_text(json.dumps({**self._settings, "rules": rules}))
        fresh.replace(self.path)

    def journal(self, event: str = "", **facts: Any) -> list[dict[str, Any]]:
        """Return what happened so far, oldest first: request, started, finished, misbehaved, died, free, interrupt."""
        journal = self.path.with_suffix(".journal")
        lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        wanted = facts | ({"event": event} if event else {})
        return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]


class Double:
    """``with Double(folder) as double`` gives ``double.url``, ``double.plan`` and ``double.base`` with its models."""

    def __init__(self, folder: Path, *flags: str, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.base = folder / "base"
        self.plan = PlanFile(folder / "plan.json", **settings)
        self._flags = flags
        self._said = folder / "comfyui.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._said.read_text(errors="replace")

    def model(self, kind: str, name: str, content: bytes = b"") -> Path:
        """Put a model file into its folder."""
        path = self.base / "models" / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process and wait for nothing."""
        self.base.joinpath("custom_nodes").mkdir(parents=True, exist_ok=True)
        arguments = ["--port", str(self.port), "--base-directory", str(self.base), "--disable-api-nodes", *self._flags]
        with self._said.open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", *arguments],
                cwd=CHECKOUT,
                env={**os.environ, **self.plan.environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        return self.process

    def await_ready(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(f"{self.url}/system_stats", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        self.launch()
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
