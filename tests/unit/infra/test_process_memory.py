"""The most memory that a child held, measured on a child that takes a known amount and gives it back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.infra.process_memory import PeakMemory

MB = 2**20
TAKES = """
import sys
for line in sys.stdin:
    size = int(line)
    held = b"x" * size
    del held
    print("done", flush=True)
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", TAKES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def take(child: subprocess.Popen[str], megabytes: int) -> None:
    assert child.stdin
    assert child.stdout
    child.stdin.write(f"{megabytes * MB}\n")
    child.stdin.flush()
    assert child.stdout.readline() == "done\n"


def test_a_peak_between_two_looks_is_seen(child: subprocess.Popen[str]) -> None:
    take(child, 1)
    memory = PeakMemory(child.pid)
    memory.look()
    before = memory.ram_gb or 0
    take(child, 300)
    memory.last_look()
    assert 0.28 < (memory.ram_gb or 0) - before < 0.33
    assert memory.vram_gb is None or memory.vram_gb == 0


def test_what_an_earlier_run_took_does_not_count(child: subprocess.Popen[str]) -> None:
    take(child, 300)
    memory = PeakMemory(child.pid)
    take(child, 50)
    memory.last_look()
    assert (memory.ram_gb or 0) < 0.2


def test_a_process_that_ended_keeps_its_peak(child: subprocess.Popen[str]) -> None:
    memory = PeakMemory(child.pid)
    take(child, 100)
    memory.last_look()
    seen = memory.ram_gb
    child.kill()
    child.wait()
    memory.last_look()
    assert memory.ram_gb == seen
    assert PeakMemory(child.pid).ram_gb is None


def test_gpu_memory_is_that_of_the_child_alone(
    child: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "nvidia-smi"
    told.write_text(f"#!/bin/sh\necho '{child.pid}, 2048'\necho '1, 9000'\necho '{child.pid}, [N/A]'\n")
    told.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    memory = PeakMemory(child.pid)
    memory.look()
    assert memory.vram_gb == 2.0
