"""How long a training takes, from trainings that were timed on the same machine: never from anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from isengard.domain.lora import Lora
from isengard.domain.preflight import Trust
from isengard.domain.request import TrainingConfig

NEWEST = 5  # older ones ran with other versions of the tools


@dataclass(frozen=True)
class Duration:
    """Seconds, and how they are known."""

    seconds: float
    source: str
    confidence: Trust


def duration_of(config: TrainingConfig, machine: str, loras: Iterable[Lora]) -> Duration | None:
    """Return how long a filled config takes, None when its base model was never timed on this machine.

    A step takes as long as the pixels that it sees, all else being equal: of earlier runs with other pixels the time
    is scaled by them.
    """
    timed = [run for lora in loras if (run := _timed(lora, config.base_model, machine))]
    alike = [run for run in timed if run.work == _work(config)]
    known = (alike or timed)[:NEWEST]
    if not known:
        return None
    step = median(run.step_seconds * _work(config) / run.work for run in known)
    seconds = median(run.setup_seconds for run in known) + step * max(0, (config.steps or 1) - 1)
    runs = f"{len(known)} earlier {'training' if len(known) == 1 else 'trainings'} with it on this machine"
    if alike:
        return Duration(seconds, f"Timed in {runs}", "measured")
    return Duration(seconds, f"From {runs} with other sizes or batches, scaled by the pixels of a step", "low")


@dataclass(frozen=True)
class _Run:
    work: float
    setup_seconds: float
    step_seconds: float


def _timed(lora: Lora, base_model: str, machine: str) -> _Run | None:
    took = lora.measured
    if took is None or lora.base_model != base_model or took.machine != machine or not took.seconds_per_step:
        return None
    known = {name: value for name, value in lora.config.items() if name in TrainingConfig.model_fields}
    return _Run(_work(TrainingConfig.model_validate(known)), took.setup_seconds, took.seconds_per_step)


def _work(config: TrainingConfig) -> float:
    """Pixels that one step sees; keeping a class unchanged passes each picture twice."""
    edges = config.resolutions or (config.resolution or 1024,)
    pixels = sum(edge**2 for edge in edges) / len(edges)
    return pixels * (config.batch_size or 1) * config.gradient_accumulation * (2 if config.preserve_class else 1)
