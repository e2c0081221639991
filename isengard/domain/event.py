"""Events: what happened to a job. Plugins make the first group, the worker and the services the second."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from isengard.domain.base import Value
from isengard.domain.output import Output

# --- made by plugins -------------------------------------------------------------------------


class Progress(Value):
    """How far it got; ``message`` is a phase in words."""

    kind: Literal["progress"] = "progress"
    step: int = 0
    total_steps: int = 0
    message: str = ""
    eta_seconds: float | None = None


class Metric(Value):
    """Numbers of a training step."""

    kind: Literal["metric"] = "metric"
    step: int
    total_steps: int
    loss: float
    learning_rate: float
    steps_per_second: float = 0
    eta_seconds: float | None = None


class Preview(Value):
    """A picture on the way: a training sample, or a half-made generation."""

    kind: Literal["preview"] = "preview"
    step: int
    path: str = Field(description="Absolute path of a picture inside the job's work folder.")
    prompt: str = ""
    url: str = Field(default="", description="Set by the worker.")
    index: int = 0


class Checkpoint(Value):
    """A resumable state exists on disk, complete."""

    kind: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str


class Weights(Value):
    """The trained file, checked by the plugin, and the most memory that it took, where that was looked at."""

    kind: Literal["weights"] = "weights"
    step: int
    path: str
    peak_vram_gb: float | None = None
    peak_ram_gb: float | None = None


class Picture(Value):
    """A finished picture in the job's work folder."""

    kind: Literal["picture"] = "picture"
    index: int
    path: str
    seed: int
    width: int
    height: int


PluginEvent = Progress | Metric | Preview | Checkpoint | Weights | Picture

# --- made by the worker and the services -----------------------------------------------------


class JobError(Value):
    """Why a job failed, in plain words."""

    message: str
    hint: str = ""
    type: str = "IsengardError"
    retryable: bool = False


class Submitted(Value):
    """It is in the queue. Told to who listens, and not stored: a job begins with it."""

    kind: Literal["submitted"] = "submitted"


class Claimed(Value):
    """A worker took the job; a new attempt begins."""

    kind: Literal["claimed"] = "claimed"
    worker: str


class Waiting(Value):
    """Claimed, but the GPU or memory is in use."""

    kind: Literal["waiting"] = "waiting"
    message: str


class SteppedDown(Value):
    """Memory ran out, and the job goes on with settings that need less."""

    kind: Literal["stepped_down"] = "stepped_down"
    payload: dict[str, Any] = Field(description="The request from now on.")
    message: str


class CancelAsked(Value):
    """A person wants it to end; what was made is thrown away."""

    kind: Literal["cancel_asked"] = "cancel_asked"


class StopAsked(Value):
    """A person wants it to end and keep what is trained so far."""

    kind: Literal["stop_asked"] = "stop_asked"


class SaveAsked(Value):
    """A person wants a checkpoint after the step at work."""

    kind: Literal["save_asked"] = "save_asked"


class SampleAsked(Value):
    """A person wants sample pictures after the step at work."""

    kind: Literal["sample_asked"] = "sample_asked"


class Completed(Value):
    """It did what was asked."""

    kind: Literal["completed"] = "completed"
    output_path: str | None = None
    outputs: tuple[Output, ...] = ()
    message: str = ""


class Failed(Value):
    """It ended in an error and will not be tried again."""

    kind: Literal["failed"] = "failed"
    error: JobError


class CancelDone(Value):
    """It ended because a person asked for it."""

    kind: Literal["cancelled"] = "cancelled"


class Requeued(Value):
    """It goes back to the queue: its worker was lost, or its next attempt is due later, or a person retries it."""

    kind: Literal["requeued"] = "requeued"
    message: str
    not_before: datetime | None = None
    error: JobError | None = None
    why: Literal["failure", "loss", "pause"] = "failure"  # a pause counts as no failure, a loss as a smaller one
    reset_attempts: bool = False


JobEvent = Annotated[
    Progress
    | Metric
    | Preview
    | Checkpoint
    | Weights
    | Picture
    | Submitted
    | Claimed
    | Waiting
    | SteppedDown
    | CancelAsked
    | StopAsked
    | SaveAsked
    | SampleAsked
    | Completed
    | Failed
    | CancelDone
    | Requeued,
    Field(discriminator="kind"),
]
