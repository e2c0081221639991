"""What a training really takes, beside what was foretold of it: for its lineage, the log, and the next forecast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from isengard.domain.event import Metric, PluginEvent, Weights
from isengard.domain.preflight import Forecast, Measured

GB = 2**30
log = structlog.get_logger("workers.measure")


class Measure:
    """Runs from the lease to the weights, and hears every event of the backend between.

    ``before`` is what earlier attempts took, in seconds; one that ends in an error is added to it.
    """

    def __init__(self, machine: str, forecast: Forecast, before: float = 0) -> None:
        self._machine = machine
        self.forecast = forecast
        self.before = before
        self._begin = self._last = time.monotonic()
        self._first: float | None = None
        self._steps = 0
        self._peaks: tuple[float | None, float | None] = (None, None)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Begin now; log an end in an error, for memory that ran out shows a wrong forecast."""
        self._begin = self._last = time.monotonic()
        try:
            yield
        except Exception as error:
            seconds = round(time.monotonic() - self._begin, 2)
            foretold = self.forecast.model_dump()
            self.before += seconds
            log.info("training.unmeasured", foretold=foretold, seconds=seconds, error=type(error).__name__)
            raise

    def hear(self, event: PluginEvent) -> None:
        """Take note of a step, or of the peaks that come with the weights."""
        if isinstance(event, Metric):
            self._last = time.monotonic()
            self._first = self._first or self._last
            self._steps += 1
        elif isinstance(event, Weights):
            self._peaks = (event.peak_vram_gb, event.peak_ram_gb)

    def ended(self, work: Path) -> Measured:
        """Return what it took, and log it beside what was foretold; ``work`` is the job's folder."""
        between = self._last - (self._first or self._last)
        took = Measured(
            machine=self._machine,
            seconds=round(time.monotonic() - self._begin, 2),
            seconds_before=round(self.before, 2),
            steps=self._steps,
            setup_seconds=round((self._first or self._last) - self._begin, 2),
            seconds_per_step=between / (self._steps - 1) if self._steps > 1 else None,
            peak_vram_gb=self._peaks[0],
            peak_ram_gb=self._peaks[1],
            disk_gb=sum(path.stat().st_size for path in work.rglob("*") if path.is_file()) / GB,
        )
        log.info("training.measured", foretold=self.forecast.model_dump(), took=took.model_dump())
        return took
