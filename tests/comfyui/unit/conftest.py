"""The protocol double, importable; a double of one's own for a test; and our own backend with it as its server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "double"))

from comfy_double.listening import Listener
from comfy_double.process import Double, PlanFile
from comfy_double.studio import TINY, Studio
from comfy_double.talk import Talk

from plugins.comfyui import prompt, server


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Callable[..., Double]]:
    """Start a double: ``double(*flags, **settings of the plan)``; all of them are ended with the test."""
    started: list[Double] = []

    def start(*flags: str, **settings: Any) -> Double:
        made = Double(tmp_path / f"double-{len(started)}", *flags, **settings)
        started.append(made)
        made.model("checkpoints", "sd15_random.safetensors")
        made.__enter__()
        return made

    yield start
    for made in started:
        made.stop()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until a condition holds; the limit is for a loaded machine, not a promise."""

    def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not so after {seconds} s"
            time.sleep(0.02)

    return wait


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    plan = PlanFile(tmp_path / "plan.json")
    for name, value in plan.environment.items():
        monkeypatch.setenv(name, value)
    made = Studio(tmp_path / "volume", plan)
    checkpoint = made.context.models_dir / TINY.comfyui["CHECKPOINT"]
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(save({"nothing": np.zeros(1, np.float32)}))
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are shortened so that a test of what follows them takes a second or two, not a minute."""
    monkeypatch.setattr(prompt, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(server, "LONGEST_PAUSE", 0.05)


@pytest.fixture
def talk(double: Callable[..., Double]) -> Talk:
    return Talk(double("--preview-method", "latent2rgb"))


@pytest.fixture
def me(talk: Talk) -> Iterator[Listener]:
    with Listener(talk.double.url, "me") as listener:
        yield listener
