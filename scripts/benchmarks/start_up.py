"""Starting the app: seconds to /health, memory when idle, and what is loaded by then."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
from figures import Figure
from own_app import ROOT, OwnApp
from scope import Scope

HEAVY = ("torch", "diffusers", "transformers", "peft", "cv2", "gradio", "pandas", "onnxruntime")
SETTLE_SECONDS = 5.0
MB = 2**20
PROBE = """
import json, sys
import app
from isengard.config import Settings
app.build(Settings()).web()
print(json.dumps([name for name in sys.argv[1:] if name in sys.modules]))
"""


def measure(scope: Scope) -> list[Figure]:
    """Return start-up figures; the first start, which warms the disk's cache, is not counted."""
    starts: list[float] = []
    memory: list[float] = []
    server: list[float] = []
    for number in range(1 + scope.pick(5, 2)):
        with OwnApp(scope.folder / f"volume-{number}") as app:
            _settle(app.url)
            own, child = _resident(app.pid)
            mapped = _mapped(app.pid)
        if number:
            starts.append(app.seconds_to_health)
            memory.append(own)
            server.append(child)
    loaded = _loaded(scope.folder)
    return [
        Figure("up", "start to /health", max(starts), "s", 3.0, detail=f"slowest of {len(starts)}", samples=starts),
        Figure("up", "heavy libraries loaded at /health", len(loaded), "", 0, detail=", ".join(loaded) or "none"),
        Figure("up", "idle memory, screen built", statistics.median(memory), "MB", 300, detail=mapped, samples=memory),
        Figure("up", "idle memory of the embedded server", statistics.median(server), "MB", samples=server),
    ]


def _settle(url: str) -> None:
    """Wait until the page is built, as it is when a person looks at it, and then a little."""
    until = time.monotonic() + 60
    while httpx.get(url + "/", timeout=60, trust_env=False, follow_redirects=True).status_code != httpx.codes.OK:
        if time.monotonic() > until:
            raise TimeoutError("The page was not built within a minute.")
        time.sleep(0.2)
    time.sleep(SETTLE_SECONDS)


def _resident(pid: int) -> tuple[float, float]:
    """Return the memory of the app and of its children, in MB."""
    app = psutil.Process(pid)
    children = sum(child.memory_info().rss for child in app.children(recursive=True))
    return app.memory_info().rss / MB, children / MB


def _mapped(pid: int) -> str:
    """Say whether torch or OpenCV is in the app's process, where the system can tell."""
    maps = Path(f"/proc/{pid}/maps")
    if not maps.exists():
        return ""
    text = maps.read_text()
    found = [name for name in ("libtorch", "cv2") if name in text]
    return f"in the process: {', '.join(found)}" if found else "neither torch nor cv2 in the process"


def _loaded(folder: Path) -> list[str]:
    """Return the heavy libraries that wiring the whole app imports."""
    environment = {**os.environ, "VOLUME_ROOT": str(folder / "probe"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROBE, *HEAVY]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found
