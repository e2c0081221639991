"""What a training took: steps and peaks as the backend told them, beside what was foretold."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from isengard.domain.event import Metric, Weights
from isengard.domain.preflight import Forecast
from isengard.errors import OutOfVram
from isengard.workers.measure import Measure


def step(number: int) -> Metric:
    return Metric(step=number, total_steps=9, loss=0.1, learning_rate=0.1)


def test_a_training_is_logged_beside_its_forecast(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "one.jpg").write_bytes(b"x" * 2**20)
    measure = Measure("NVIDIA Test", Forecast(vram_gb=12, ram_gb=8, seconds=60), before=30)
    with capture_logs() as logged, measure.running():
        for number in (5, 6, 7):
            measure.hear(step(number))
        measure.hear(Weights(step=7, path="x", peak_vram_gb=13.5))
        took = measure.ended(tmp_path)
    assert (took.machine, took.steps, took.peak_vram_gb, took.peak_ram_gb) == ("NVIDIA Test", 3, 13.5, None)
    assert took.seconds_per_step is not None
    assert took.seconds_per_step >= 0
    assert took.setup_seconds <= took.seconds < took.seconds_before == 30
    assert took.disk_gb == 1 / 1024
    assert logged[0]["event"] == "training.measured"
    assert logged[0]["foretold"]["vram_gb"] == 12
    assert logged[0]["took"]["peak_vram_gb"] == 13.5


def test_one_step_gives_no_speed(tmp_path: Path) -> None:
    measure = Measure("here", Forecast())
    with measure.running():
        measure.hear(step(1))
    assert measure.ended(tmp_path).seconds_per_step is None


def test_memory_that_ran_out_is_logged_beside_the_forecast() -> None:
    measure = Measure("NVIDIA Test", Forecast(vram_gb=12))

    def run() -> None:
        with measure.running():
            time.sleep(0.02)
            raise OutOfVram("It is full.")

    with capture_logs() as logged, pytest.raises(OutOfVram):
        run()
    assert (logged[0]["event"], logged[0]["error"]) == ("training.unmeasured", "OutOfVram")
    assert measure.before >= 0.02
    assert logged[0]["foretold"]["vram_gb"] == 12
