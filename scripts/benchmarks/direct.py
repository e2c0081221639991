"""The engine called directly: its child process and nothing of Isengard's queue, workers, API or library around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from own_app import ROOT

from isengard.domain.lease import Needs, Stop
from isengard.plugins.protocols import PluginContext
from plugins.diffusers.parent import ENVIRONMENT


class Direct:
    """One warm engine of our own, spoken to in its own protocol: a JSON line in, JSON lines out."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "plugins.diffusers.engine"],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def seconds(self, operation: str, arguments: dict[str, Any]) -> float:
        """Run an operation to its end; return how long it took."""
        assert self._process.stdin
        assert self._process.stdout
        started = time.perf_counter()
        self._process.stdin.write(json.dumps({"operation": operation, **arguments}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            message = json.loads(line)
            if "failure" in message:
                raise RuntimeError(f"The engine failed: {message['failure']}")
            if message.get("done"):
                return time.perf_counter() - started
        raise RuntimeError("The engine ended.")


class Listener:
    """Stands where the engine stands and keeps what a backend would have told it."""

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}

    def run(
        self, _operation: str, arguments: dict[str, Any], _stop: Stop, _correlation_id: str, _needs: Needs
    ) -> Iterator[dict[str, Any]]:
        """Keep the arguments; report nothing."""
        self.arguments = arguments
        return iter(())

    def release(self) -> bool:
        """Nothing is held."""
        return True


def context(folder: Path) -> PluginContext:
    """Return what the backends are given."""
    return PluginContext(ROOT, folder, folder, 600, lambda *_args, **_fields: None)
