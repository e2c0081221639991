"""A job: one state machine, written as a table."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from isengard.domain import event as ev
from isengard.domain.base import Value, new_id, utc_now
from isengard.domain.output import Output
from isengard.domain.request import DownloadRequest, GenerationRequest, JobType, Request, TrainingRequest
from isengard.domain.synthetic import SyntheticRequest
from isengard.errors import Conflict

Status = Literal["queued", "running", "cancelling", "completed", "failed", "cancelled"]
FINAL: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})
ID_PREFIX: dict[JobType, str] = {"training": "train", "generation": "gen", "download": "load", "synthetic": "syn"}
REQUESTS: dict[JobType, type[Request]] = {
    "training": TrainingRequest,
    "generation": GenerationRequest,
    "download": DownloadRequest,
    "synthetic": SyntheticRequest,
}

_WORK = ("progress", "metric", "preview", "checkpoint", "weights", "picture", "waiting", "stepped_down")
TRANSITIONS: dict[tuple[Status, str], Status] = {
    ("queued", "claimed"): "running",
    ("queued", "cancel_asked"): "cancelled",
    ("queued", "failed"): "failed",  # its request can no longer be read
    **{("running", kind): "running" for kind in _WORK},
    **{("running", wish): "running" for wish in ("stop_asked", "save_asked", "sample_asked")},
    ("running", "cancel_asked"): "cancelling",
    ("running", "completed"): "completed",
    ("running", "failed"): "failed",
    ("running", "requeued"): "queued",
    **{("cancelling", kind): "cancelling" for kind in _WORK},
    ("cancelling", "cancel_asked"): "cancelling",
    ("cancelling", "completed"): "completed",  # it was done before the wish arrived
    ("cancelling", "cancelled"): "cancelled",
    ("cancelling", "failed"): "cancelled",  # it was on its way out anyway
    ("cancelling", "requeued"): "cancelled",  # its worker was lost
    ("failed", "requeued"): "queued",
    ("cancelled", "requeued"): "queued",
}

WISHES = {  # what is refused, in words
    "cancel_asked": "cancelled",
    "stop_asked": "stopped",
    "save_asked": "saved",
    "sample_asked": "sampled",
    "requeued": "retried",
}


class Job(Value):
    """What is happening to a request. ``seq`` grows by one with every event: a late event is recognised by it."""

    id: str
    type: JobType
    correlation_id: str
    created_at: datetime = Field(default_factory=utc_now)
    payload: dict[str, Any] = Field(description="The request.")
    character_id: str | None = None
    title: str = Field(default="", description="For people: 'Zara: training, 400 steps'.")
    status: Status = "queued"
    seq: int = 0
    attempt: int = Field(default=0, description="Grows with each claim: the fencing token.")
    failures: int = Field(default=0, description="Attempts in a row that ended in an error and got no further.")
    losses: int = Field(default=0, description="Attempts in a row whose worker vanished, and that got no further.")
    furthest: int = Field(default=0, description="Step of the newest checkpoint, or pictures kept, over all attempts.")
    worked_seconds: float = Field(default=0, description="Time that all its attempts took together.")
    worker: str | None = None
    progress: float = Field(default=0, description="Percent, 0 to 100.")
    current_step: int = 0
    total_steps: int = 0
    message: str = "Waiting in the queue"
    eta_seconds: float | None = None
    loss: float | None = None
    learning_rate: float | None = None
    preview_url: str | None = None
    stop_asked: bool = False
    stepped_down: str = Field(default="", description="What was changed, once, because memory had run out.")
    saves_asked: int = Field(default=0, description="How often a checkpoint was asked for by hand.")
    samples_asked: int = Field(default=0, description="How often samples were asked for by hand.")
    error: ev.JobError | None = None
    output_path: str | None = Field(default=None, description="Relative to the volume, when completed.")
    outputs: tuple[Output, ...] = ()
    not_before: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime = Field(default_factory=utc_now)

    @classmethod
    def of(cls, request: Request, correlation_id: str, title: str = "") -> Job:
        """Make a queued job for a request."""
        kind = next(kind for kind, model in REQUESTS.items() if isinstance(request, model))
        return cls(
            id=new_id(ID_PREFIX[kind]),
            type=kind,
            correlation_id=correlation_id,
            payload=request.model_dump(mode="json"),
            character_id=None if isinstance(request, DownloadRequest) else request.character_id,
            title=title,
        )

    @property
    def request(self) -> Request:
        """The request, validated again."""
        return REQUESTS[self.type].model_validate(self.payload)

    @property
    def final(self) -> bool:
        """True once nothing more can happen by itself."""
        return self.status in FINAL

    def apply(self, event: ev.JobEvent) -> Job:
        """Return the job after an event; raise Conflict when the state forbids it."""
        target = TRANSITIONS.get((self.status, event.kind))
        if target is None:
            raise Conflict(*_refusal(self.status, event.kind))
        changes = _CHANGES[event.kind](self, event)
        now = utc_now()
        if self.status in {"running", "cancelling"} and target not in {"running", "cancelling"} and self.started_at:
            changes["worked_seconds"] = round(self.worked_seconds + (now - self.started_at).total_seconds(), 3)
        if target in FINAL and self.status not in FINAL:
            changes |= {"finished_at": now, "eta_seconds": None, "worker": None}
        if target == "cancelled":
            changes |= {"message": "Cancelled", "error": None}
        return self.model_copy(update={"status": target, "seq": self.seq + 1, "updated_at": now, **changes})


def _refusal(status: Status, kind: str) -> tuple[str, str]:
    return f"A job that is {status} cannot be {WISHES.get(kind, kind)}.", "Reload the page to see its present state."


def _claimed(job: Job, event: ev.Claimed) -> dict[str, Any]:
    return {
        "worker": event.worker,
        "attempt": job.attempt + 1,
        "started_at": utc_now(),
        "not_before": None,
        "error": None,
        "message": "Starting",
    }


def _progress(job: Job, event: ev.Progress) -> dict[str, Any]:
    changes: dict[str, Any] = {"message": event.message or job.message, "eta_seconds": event.eta_seconds}
    if event.total_steps:
        changes |= _steps(event.step, event.total_steps)
    return changes


def _steps(step: int, total: int) -> dict[str, Any]:
    return {"current_step": step, "total_steps": total, "progress": round(min(100.0, 100 * step / max(1, total)), 1)}


def _metric(_: Job, event: ev.Metric) -> dict[str, Any]:
    return {
        **_steps(event.step, event.total_steps),
        "message": f"Training step {event.step}/{event.total_steps}",
        "loss": event.loss,
        "learning_rate": event.learning_rate,
        "eta_seconds": event.eta_seconds,
    }


def _completed(job: Job, event: ev.Completed) -> dict[str, Any]:
    return {
        "progress": 100.0,
        "current_step": job.current_step if job.stop_asked else job.total_steps or job.current_step,
        "message": event.message or "Done",
        "output_path": event.output_path,
        "outputs": event.outputs,
        "error": None,
    }


def _requeued(job: Job, event: ev.Requeued) -> dict[str, Any]:
    reset = event.reset_attempts
    if reset and not job.final:  # a person retries what has ended; only its worker hands a running job back
        raise Conflict(*_refusal(job.status, event.kind))
    return {
        "message": event.message,
        "not_before": event.not_before,
        "error": event.error,
        "worker": None,
        "finished_at": None,
        "eta_seconds": None,
        "stop_asked": False,
        "failures": 0 if reset else job.failures + (event.error is not None and event.why == "failure"),
        "losses": 0 if reset else job.losses + (event.why == "loss"),
    }


def _further(job: Job, reached: int) -> dict[str, Any]:
    """Forgive earlier failures once an attempt has got further than all before: what repeats is no endless loop."""
    return {"furthest": reached, "failures": 0, "losses": 0} if reached > job.furthest else {}


_CHANGES: dict[str, Any] = {
    "claimed": _claimed,
    "progress": _progress,
    "metric": _metric,
    "preview": lambda _, event: {"preview_url": event.url or None},
    "checkpoint": lambda job, event: {
        "message": f"Saved a checkpoint at step {event.step}",
        **_further(job, event.step),
    },
    "weights": lambda _j, _e: {"message": "Checking the trained weights"},
    "picture": lambda job, event: {
        "message": f"Picture {event.index + 1} is done",
        **_further(job, job.furthest + 1),
    },
    "waiting": lambda _, event: {"message": event.message},
    "stepped_down": lambda _, event: {
        "payload": event.payload,
        "stepped_down": event.message,
        "message": event.message,
    },
    "cancel_asked": lambda _j, _e: {"message": "Cancelling"},
    "stop_asked": lambda _j, _e: {"stop_asked": True, "message": "Stopping; what is trained will be kept"},
    "save_asked": lambda job, _: {"saves_asked": job.saves_asked + 1, "message": "Saving a checkpoint after this step"},
    "sample_asked": lambda job, _: {
        "samples_asked": job.samples_asked + 1,
        "message": "Drawing samples after this step",
    },
    "completed": _completed,
    "failed": lambda job, event: {
        "error": event.error,
        "message": event.error.message,
        "failures": job.failures + 1,
    },
    "cancelled": lambda _j, _e: {},
    "requeued": _requeued,
}
