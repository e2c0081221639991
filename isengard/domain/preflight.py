"""What a training would take, said before it begins, and what it took in the end."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from isengard.domain.base import Value
from isengard.domain.request import TrainingRequest

Resource = Literal["gpu_memory", "memory", "disk", "time", "cost"]
Verdict = Literal["fits", "tight", "does_not_fit"]
Trust = Literal["measured", "high", "medium", "low", "unknown"]


class Estimate(Value):
    """One thing that it takes: GB of 2**30 bytes, seconds, or units of the given price."""

    resource: Resource
    needed: float | None = Field(default=None, description="None: nobody knows.")
    available: float | None = Field(default=None, description="None: it has no limit, or is not limited here.")
    verdict: Verdict = "fits"
    source: str = Field(description="Where the number comes from, or why there is none.")
    confidence: Trust


class Suggestion(Value):
    """The nearest setting that fits: the same request with few changes."""

    text: str
    changes: dict[str, Any] = Field(description="Fields of the training config.")
    request: TrainingRequest


class Preflight(Value):
    """A training that does not exist yet, as this machine would meet it."""

    verdict: Verdict
    reason: str
    machine: str
    backend: str
    title: str
    request: TrainingRequest = Field(description="With every field filled, as it would run.")
    estimates: tuple[Estimate, ...]
    suggestion: Suggestion | None = None
    advice: tuple[str, ...] = ()


class Forecast(Value):
    """What was foretold of a training when it began; GB of 2**30 bytes and seconds."""

    vram_gb: float = 0
    ram_gb: float = 0
    disk_gb: float = 0
    seconds: float | None = None


class Measured(Value):
    """What a training really took. None: it was not measured."""

    machine: str = Field(description="The GPU by its name, or the processor.")
    seconds: float = Field(description="From the lease to the weights.")
    seconds_before: float = Field(default=0, description="What its attempts before that took together.")
    steps: int = Field(default=0, description="Done in this attempt.")
    setup_seconds: float = Field(default=0, description="Until its first step was done.")
    seconds_per_step: float | None = Field(default=None, description="After the first; samples and saves included.")
    peak_vram_gb: float | None = None
    peak_ram_gb: float | None = None
    disk_gb: float | None = Field(default=None, description="What its work folder held at the end.")
