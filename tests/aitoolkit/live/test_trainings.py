"""The real AI-Toolkit trains tiny models on the CPU, through the whole backend."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from isengard.domain.event import Checkpoint, Metric, PluginEvent, Preview, Progress, Weights
from isengard.domain.lease import Stop
from isengard.errors import Cancelled, OutOfMemory
from tests.aitoolkit import tiny
from tests.aitoolkit.bench import again, of_kind, until
from tests.aitoolkit.live.conftest import Real

pytestmark = pytest.mark.aitoolkit
FAMILIES = {"sd15": "sd_1.5", "sdxl": "sdxl_1.0", "flux": "flux.1", "z-image": "zimage"}


def trainer() -> psutil.Process:
    (found,) = (one for one in psutil.Process().children() if "training.yaml" in " ".join(one.cmdline()))
    return found


def at_step(number: int) -> object:
    return lambda event: isinstance(event, Metric) and event.step >= number


def test_every_family_of_the_tests_has_a_model() -> None:
    assert tuple(FAMILIES) == tiny.FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_trained_from_pictures_to_a_proven_file(real: Real, tmp_path: Path, family: str) -> None:
    run = real.run(tmp_path, base=real.base(family), steps=5, save_every=2, sample_every=3)
    events, file = real.train(run)
    assert [event.step for event in of_kind(events, Metric)] == [1, 2, 3, 4, 5]
    assert [event.step for event in of_kind(events, Checkpoint)] == [2, 4]
    assert [event.step for event in of_kind(events, Preview)] == [3, 5]
    with safe_open(str(file), "np") as opened:
        told = opened.metadata()
    assert told["ss_base_model_version"] == FAMILIES[family]
    assert (told["ss_network_dim"], json.loads(told["training_info"])["step"]) == ("4", 5)
    assert json.loads(told["ss_tag_frequency"])["1_ohwx"]["smiling"] == 1
    assert "Training" in [event.message for event in of_kind(events, Progress)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_goes_on_from_a_version(real: Real, tmp_path: Path, family: str) -> None:
    """With a learning rate of next to nothing the file is what it began with, where a new one would be zero."""
    base = real.base(family)
    rest = {"base": base, "save_every": 5000, "sample_every": 5000}
    _, first = real.train(real.run(tmp_path / "a", steps=5, learning_rate=0.01, **rest))
    run = real.run(tmp_path / "b", steps=3, learning_rate=1e-9, **rest)
    real.training.check_start(first, real.training.defaults(run.request, base), base)
    _, second = real.train(replace(run, start_from=first))
    before, after = load_file(first), load_file(second)
    assert before.keys() == after.keys()
    assert any(
        abs(value).max() > 1e-3 for key, value in before.items() if key.endswith(("lora_up.weight", "lora_B.weight"))
    )
    assert all(abs(before[key] - after[key]).max() < 1e-3 for key in before)


def test_it_saves_and_samples_when_asked_and_stops_with_what_is_trained(real: Real, tmp_path: Path) -> None:
    stop = Stop()
    events = real.events(real.run(tmp_path, stop, steps=5000, save_every=5000, sample_every=5000))
    until(events, at_step(2))  # type: ignore[arg-type]
    stop.save.set()
    (saved,) = of_kind(until(events, lambda event: isinstance(event, Checkpoint)), Checkpoint)
    stop.sample.set()
    until(events, lambda event: isinstance(event, Preview) and event.step >= saved.step)
    stop.keep.set()
    *_, last = events
    assert isinstance(last, Weights)
    assert saved.step <= last.step < 5000
    assert load_file(last.path)


def test_it_is_cancelled_within_two_seconds(real: Real, tmp_path: Path) -> None:
    stop = Stop()
    events = real.events(real.run(tmp_path, stop, steps=5000, save_every=5000, sample_every=5000))
    until(events, at_step(2))  # type: ignore[arg-type]
    child = trainer()
    asked = time.monotonic()
    stop.cancel.set()
    with pytest.raises(Cancelled):
        list(events)
    assert time.monotonic() - asked < 2.05
    assert not child.is_running()


def test_killed_it_goes_on_from_its_last_checkpoint(real: Real, tmp_path: Path) -> None:
    run = real.run(tmp_path, steps=60, save_every=5, sample_every=5000)
    events = real.events(run)
    taken: list[PluginEvent] = until(events, lambda event: isinstance(event, Checkpoint) and event.step >= 10)
    os.kill(trainer().pid, signal.SIGKILL)
    with pytest.raises(OutOfMemory, match="killed by the system"):
        taken.extend(events)
    after = of_kind(real.train(again(run, taken))[0], Metric)
    last = of_kind(taken, Metric)[-1].step
    assert last - after[0].step < 5
    assert [event.step for event in after] == list(range(after[0].step, 61))
