"""Processes whose app is gone are ended; those of a living app, or of another volume, are left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from isengard.infra.orphans import end_orphans

APP = """
import subprocess, sys
from pathlib import Path
from isengard.infra.orphans import mark_children
mark_children(Path(sys.argv[1]))
child = ["sleep", "600"] if sys.argv[2] == "child" else ["sh", "-c", "sleep 600 & echo $!; wait"]
started = subprocess.Popen(child, start_new_session=True)
if sys.argv[2] == "child":
    print(started.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def app() -> Iterator[Callable[..., tuple[subprocess.Popen[str], psutil.Process]]]:
    """Start an app on a volume that starts a child; both end with the test."""
    started: list[tuple[subprocess.Popen[str], psutil.Process]] = []

    def start(volume: Path, what: str = "child") -> tuple[subprocess.Popen[str], psutil.Process]:
        own = subprocess.Popen(
            [sys.executable, "-c", APP, str(volume), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert own.stdout is not None
        child = psutil.Process(int(own.stdout.readline()))
        started.append((own, child))
        return own, child

    yield start
    for own, child in started:
        if child.is_running():
            child.kill()
        own.kill()
        own.communicate()


@pytest.mark.parametrize("what", ["child", "grandchild"])
def test_what_a_killed_app_left_is_ended(app: Callable[..., tuple], tmp_path: Path, what: str) -> None:
    own, child = app(tmp_path, what)
    own.kill()
    own.wait()
    assert child.is_running()
    ended = end_orphans(tmp_path)
    assert child.pid in ended
    psutil.wait_procs([child], 10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE  # until the system collects it


def test_the_children_of_a_living_app_are_left_alone(app: Callable[..., tuple], tmp_path: Path) -> None:
    _, child = app(tmp_path)
    assert end_orphans(tmp_path) == []
    assert child.is_running()


def test_those_of_another_volume_are_left_alone(app: Callable[..., tuple], tmp_path: Path) -> None:
    own, child = app(tmp_path / "theirs")
    own.kill()
    own.wait()
    assert end_orphans(tmp_path / "ours") == []
    assert child.is_running()
