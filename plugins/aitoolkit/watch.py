"""Watches a running AI-Toolkit: what it reports becomes events, what is wished for is passed on, trouble ends it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from isengard.domain.event import Checkpoint, Metric, PluginEvent, Preview, Progress
from isengard.domain.lease import Stop
from isengard.errors import Cancelled
from plugins.aitoolkit.channels import JobRow, JobTable, LossRow, losses_after
from plugins.aitoolkit.failures import diverged, left_out, lost_its_place, out_of_vram, silent
from plugins.aitoolkit.phases import phase_of
from plugins.aitoolkit.recipe import Folders
from plugins.aitoolkit.said import Said, spoken_speed
from plugins.aitoolkit.saves import Saves
from plugins.aitoolkit.trainer import Trainer

POLL_SECONDS = 0.1
SAVING = "Saving model"  # what its job table says meanwhile
MOST_NOT_NUMBERS = 3  # of the loss; one may be an unlucky picture
LATE_SECONDS = 10.0  # after the log's first row, from which on the bar is no longer waited for
SILENT_SECONDS = 3600.0  # quantizing and the first step of a compiled model say nothing for many minutes
_SAMPLE = re.compile(r"(\d+)__(\d{9})_(\d+)\.(?:jpg|png|webp)")


@dataclass(frozen=True)
class Asked:
    """What the run was asked for."""

    steps: int
    images: int
    prompts: tuple[str, ...]
    start: int = 0  # the step of the checkpoint that it goes on from


def told_late(rows: Iterable[LossRow], until: int, total: int) -> Iterator[Metric]:
    """Yield what an earlier attempt had logged up to a step but could not tell before it was killed."""
    for row in rows:
        if row.step <= until:
            yield Metric(step=row.step, total_steps=total, loss=row.loss, learning_rate=row.learning_rate)


@dataclass
class Watch:
    """One start of AI-Toolkit, from its first word to its last."""

    trainer: Trainer
    said: Said
    jobs: JobTable
    folders: Folders
    saves: Saves
    asked: Asked
    stop: Stop
    row: JobRow = field(default_factory=JobRow)
    kept: int = 0  # newest step that was copied out
    keeping: bool = False
    _step: int = 0
    _logged: float = 0.0  # when its log was first seen to have a row
    _wanted: int = 0  # step that must be saved before it is told to stop
    _message: str = ""
    _pictures: set[str] = field(default_factory=set)
    _sign: tuple[int, float] = (0, 0.0)

    def __post_init__(self) -> None:
        """Begin where the checkpoint is; samples of an earlier attempt have been told."""
        self._step = self.kept = self.asked.start
        self._pictures = {path.name for path in self._samples()}
        self._sign = (0, time.monotonic())

    @property
    def in_table(self) -> bool:
        """Tell whether it uses the job table: then it can be asked."""
        return self.row.status != "queued"

    def events(self) -> Iterator[PluginEvent]:
        """Yield what it reports until it has ended; raise Cancelled, or what ends it early."""
        while True:
            ended = self.trainer.wait(0)
            if ended:
                self.trainer.heard_out()
            self._heed()
            self.trainer.memory.look()
            yield from self._news()
            self._check()
            if ended:
                return
            self.stop.cancel.wait(POLL_SECONDS)

    # --- wishes -----------------------------------------------------------------------------

    def _heed(self) -> None:
        if self.stop.cancel.is_set():
            raise Cancelled("Cancelled.")
        if self.stop.save.is_set() and self.in_table and self.jobs.ask("save_now"):
            self.stop.save.clear()
        if self.stop.sample.is_set() and self.in_table and self.jobs.ask("sample_now"):
            self.stop.sample.clear()
        if self.stop.keep.is_set():
            self._keep()

    def _keep(self) -> None:
        """End it with what is trained: have it save, wait for the file, then have it stop."""
        if not self.in_table:
            if self.kept and not self.keeping:  # it cannot be asked to save; what it saved last is taken
                self.keeping = True
                self.trainer.interrupt()
            return
        if not self.keeping:
            self.keeping = 0 < self._step <= self.kept or self.jobs.ask("save_now")
            self._wanted = self._step
        if self.keeping and self.kept and self.kept >= self._wanted and not self.row.save_now:
            self.jobs.ask("stop")

    # --- news -------------------------------------------------------------------------------

    def _news(self) -> Iterator[PluginEvent]:
        yield from self._metrics()
        for step, path in self.saves.look():
            self.kept = max(self.kept, step)
            yield Checkpoint(step=step, path=str(path))
        self.row = self.jobs.read()
        yield from self._previews()
        message = phase_of(self.row, self.said)
        if message and message != self._message:
            self._message = message
            yield Progress(step=self._step, total_steps=self.asked.steps, message=message, eta_seconds=self._eta())

    def _metrics(self) -> Iterator[Metric]:
        rows = list(losses_after(self.folders.loss, self._step))
        if self._step == self.asked.start:
            first = self.said.first
            if first and first.loss is not None:
                rows.insert(0, LossRow(self.asked.start + 1, first.loss, first.learning_rate))
            elif self.trainer.code is None and not self._late(rows):
                return  # its log leaves out the first step, and is read before the bar at times
        if not rows:
            rows = self._printed()
        for row in rows:
            if row.step > self._step:
                self._step = row.step
                yield self._metric(row)

    def _late(self, rows: list[LossRow]) -> bool:
        if rows and not self._logged:
            self._logged = time.monotonic()
        return bool(rows) and time.monotonic() - self._logged > LATE_SECONDS

    def _printed(self) -> list[LossRow]:
        """Return what the bar says, where it keeps no log."""
        bar = self.said.step
        if bar is None or bar.loss is None or self.folders.loss.exists():
            return []
        return [LossRow(bar.done, bar.loss, bar.learning_rate)]

    def _metric(self, row: LossRow) -> Metric:
        return Metric(
            step=row.step,
            total_steps=self.asked.steps,
            loss=row.loss,
            learning_rate=row.learning_rate,
            steps_per_second=self._speed(),
            eta_seconds=self._eta(),
        )

    def _speed(self) -> float:
        bar = self.said.step
        return (bar.steps_per_second if bar else 0.0) or spoken_speed(self.row.speed)

    def _eta(self) -> float | None:
        speed = self._speed()
        return (self.asked.steps - self._step) / speed if speed else None

    def _samples(self) -> Iterator[Path]:
        folder = self.folders.out / "samples"
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if _SAMPLE.fullmatch(path.name))

    def _previews(self) -> Iterator[Preview]:
        for path in self._samples():
            found = _SAMPLE.fullmatch(path.name)
            if found is None or path.name in self._pictures:
                continue
            self._pictures.add(path.name)
            index = int(found[3])
            prompt = self.asked.prompts[index] if index < len(self.asked.prompts) else ""
            yield Preview(step=int(found[2]), path=str(path), prompt=prompt, index=index)

    # --- trouble ----------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise what makes going on useless, long before it would end by itself."""
        said = self.said
        if said.found and said.found[-1] < self.asked.images:
            raise left_out(said.unreadable, said.found[-1], self.asked.images)
        if said.out_of_memory:  # it counts steps that it has left out
            raise out_of_vram(self._step)
        if said.not_numbers >= MOST_NOT_NUMBERS:
            raise diverged(said.not_numbers, self._step)
        if self.asked.start and said.found and said.resumed_at != self.asked.start:
            raise lost_its_place(said.resumed_at, self.asked.start)
        if said.words != self._sign[0]:
            self._sign = (said.words, time.monotonic())
        elif time.monotonic() - self._sign[1] > SILENT_SECONDS:
            raise silent(SILENT_SECONDS / 60, said)
