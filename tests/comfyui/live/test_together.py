"""Several generations at once on one real server, cancelled ones among them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isengard.domain.event import Picture, Progress
from isengard.errors import Cancelled
from isengard.plugins.protocols import ImageRun
from tests.comfyui import lora_files as files
from tests.comfyui.live.conftest import LEASE, Pixels, Real, apart, pixels

pytestmark = pytest.mark.comfyui


def drawn(real: Real, run: ImageRun) -> list[Pixels]:
    return [pixels(Path(event.path)) for event in real.events(run) if isinstance(event, Picture)]


def test_each_generation_gets_its_own_pictures(real: Real) -> None:
    alone = [real.draw("sd15", seed=seed) for seed in (20, 21, 30, 31)]
    with_lora = real.draw("sd15", [(files.SD15, 0.8)], seed=40)
    runs = [
        real.run("sd15", seed=20, count=2),
        real.run("sd15", [(files.SD15, 0.8)], seed=40),
        real.run("sd15", seed=30, count=2),
    ]
    with ThreadPoolExecutor() as threads:
        first, lora, last = threads.map(lambda run: drawn(real, run), runs)
    assert [apart(one, other) for one, other in zip(first + last, alone, strict=True)] == [0, 0, 0, 0]
    assert [apart(one, with_lora) for one in lora] == [0]


def test_a_cancelled_generation_ends_and_leaves_the_others_alone(real: Real) -> None:
    long, queued, other = (real.run("sd15", seed=seed, steps=steps) for seed, steps in ((50, 200), (51, 200), (8, 2)))
    begun = threading.Event()

    def draw(run: ImageRun) -> None:
        for event in real.images.generate(run, LEASE):
            if isinstance(event, Progress) and event.step:
                begun.set()

    with ThreadPoolExecutor() as threads:
        running = threads.submit(draw, long)
        assert begun.wait(120)
        waiting = threads.submit(draw, queued)
        found = threads.submit(drawn, real, other)
        while len(real.session.client.queued()[1]) < 2:
            assert not running.done()
            time.sleep(0.05)
        for run in (long, queued):
            run.stop.cancel.set()
        for ended in (running, waiting):
            with pytest.raises(Cancelled):
                ended.result()
        assert apart(found.result()[0], real.draw("sd15", seed=8)) == 0
    deadline = time.monotonic() + 20
    while any(real.session.client.queued()):  # it lists the last one a moment longer
        assert time.monotonic() < deadline, "something is left on the server"
        time.sleep(0.05)
