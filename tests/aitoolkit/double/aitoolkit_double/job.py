"""One job from its config to its end, in the order of the real one."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import yaml

from aitoolkit_double.channels import LossLog, Table
from aitoolkit_double.files import Files
from aitoolkit_double.plan import Plan, read_plan
from aitoolkit_double.words import Opening, failed, repeat, resuming, say, step_bar

IMAGES = {".jpg", ".jpeg", ".png", ".webp"}
UNKNOWN_STATE = 1.0  # added to the loss when weights and optimizer are not of the same step


class Stopped(Exception):
    """The job table says so."""


def main(config: str) -> int:
    """Run it; return the exit code."""
    plan = read_plan()
    if plan.replays:
        repeat(plan.replays)
        return _end(plan, 0)
    job = Job(yaml.safe_load(Path(config).read_text(encoding="utf-8"))["config"], plan)
    try:
        job.run()
    except Stopped as stopped:
        say(failed(str(stopped), "Exception"))
        return 1
    except KeyboardInterrupt:
        job.table.put(status="stopped", info="Job stopped")
        line = "=" * 40
        say(f"\n{line}\nJob stopped\n{line}")
        return 0
    return 0


def _end(plan: Plan, usual: int) -> int:
    if plan.signal:
        os.kill(os.getpid(), plan.signal)
        time.sleep(60)
    return usual if plan.code is None else plan.code


def loss_at(step: int) -> float:
    """Return the loss of an update, counted from 1: a curve that can be told from a broken one."""
    return 0.2 + 1.2 * math.exp(-step / 40) + 0.01 * math.sin(step)


class Job:
    """``done`` counts updates."""

    def __init__(self, config: dict[str, Any], plan: Plan) -> None:
        self.plan, self.name, self.process = plan, config["name"], config["process"][0]
        self.steps = self.process["train"]["steps"]
        self.rate = float(self.process["train"]["lr"])
        self.files = Files(
            Path(self.process["training_folder"]) / self.name, self.name, self.process, plan.save_seconds
        )
        job_id = os.environ.get("AITK_JOB_ID", "") if plan.tables else ""
        self.table = Table(self.process["sqlite_db_path"], job_id)
        self.log = LossLog(self.files.folder / "loss_log.db", used=plan.tables)
        self.images = len([p for p in Path(self.process["datasets"][0]["folder_path"]).iterdir() if p.suffix in IMAGES])
        self.state = 0
        self.skipped = 0

    def run(self) -> None:
        """Load, train, save."""
        start = self._open()
        self.table.put(status="running", info="Training", step=start)
        say("Skipping first sample due to config setting")
        say(step_bar(self.name, start, self.steps, 0, ""), "")
        for step in range(start, self.steps):
            self._fail_at(step)
            self._step(step, first=step == start)
        self._fail_at(self.steps)
        self.log.flush()
        say("")
        self._save(None, self.steps, self.steps, self.plan.spoils, self.plan.arch)
        self._sample(self.steps)
        say("")
        self.table.put(status="completed", info="Training completed")
        self._fail_at(self.steps + 1)

    def _open(self) -> int:
        found = self.images if self.plan.found is None else self.plan.found
        words = Opening(self.name, self.process, found)
        say(words.before_model, "")
        self.table.put(status="running", info="Starting")
        self._fail_at(-1)
        self.table.put(info="Loading model")
        time.sleep(self.plan.start_seconds)
        say(words.model, "")
        newest = None if self.plan.forgets else self.files.newest()
        say(words.network, "")
        if newest:
            say(resuming(newest[1], newest[0], self.files.folder / "optimizer.pt"), "")
            self.state = self.files.state()
        self.table.put(info="Loading dataset")
        say(words.dataset, "")
        return newest[0] if newest else 0

    def _step(self, step: int, *, first: bool) -> None:
        time.sleep(self.plan.step_seconds)
        enough = self.plan.skips_from is None or step < self.plan.skips_from
        loss = self._update(step) if enough else self._skip()
        rate = f"lr: {self.rate:.1e} loss: {loss:.3e}" if enough else ""
        say(step_bar(self.name, step, self.steps, self.plan.step_seconds, rate), "")
        if not first:
            for wish, do in (("save", self._save_step), ("sample", self._sample)):
                every = self.process[wish].get(f"{wish}_every")
                if every and step % every == 0:
                    do(step)
            if enough:
                self.log.add(step, loss, self.rate)
        say(step_bar(self.name, step + 1, self.steps, self.plan.step_seconds, rate), "")
        self.table.put(step=step + 1, speed_string=f"{1 / self.plan.step_seconds:.2f} iter/sec")
        self._heed(step + 1)

    def _update(self, step: int) -> float:
        """Train; the state must be that of this step, or of the one before it when a checkpoint was gone on from."""
        known = self.state in {step, step + 1}
        self.state = step + 1
        if self.plan.not_numbers_from is not None and step >= self.plan.not_numbers_from:
            say("\nloss is nan")
            return 0.0
        return loss_at(step + 1) + (0 if known else UNKNOWN_STATE)

    def _skip(self) -> float:
        self.skipped += 1
        if self.skipped > 3:
            say(failed("OOM during training step 3 times in a row, aborting training"))
            raise SystemExit(1)
        line = "#" * 48
        say(f"\n{line}\n# OOM during training step, skipping batch {self.skipped}/3 #\n{line}\n")
        return 0.0

    def _heed(self, step: int) -> None:
        if self.table.wished("stop"):
            self.table.put(status="stopped", info="Job stopped")
            self.log.flush()
            raise Stopped("Job stopped")
        if self.table.wished("save_now"):
            self.table.put(save_now=0)
            self._save_step(step)
        if self.table.wished("sample_now"):
            self.table.put(sample_now=0)
            say(f"\nSampling at step {step}")
            self._sample(step)

    def _save_step(self, step: int) -> None:
        say(f"\nSaving at step {step}")
        self._save(step, step, self.state)

    def _save(self, step: int | None, last: int, done: int, spoiled: str = "", arch: str = "") -> None:
        self.table.put(info="Saving model")
        say(f"Saved checkpoint to {self.files.save(step, last, done, spoiled, arch)}")
        say(f"Saved optimizer to {self.files.save_optimizer(done)}")
        self.table.put(info="Training")

    def _sample(self, step: int) -> None:
        wanted = self.process["sample"]["samples"]
        for index in range(len(wanted)):
            self.table.put(info=f"Generating images - {index + 1}/{len(wanted)}")
            self.files.sample(step, index, self.process["sample"]["format"])
        self.table.put(info="Training")

    def _fail_at(self, step: int) -> None:
        if self.plan.at != step:
            return
        self.log.flush()
        for text in self.plan.says:
            say(text)
        while self.plan.hangs:
            time.sleep(1)
        raise SystemExit(_end(self.plan, 1))
