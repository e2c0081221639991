"""How jobs and events are written into Redis, and read back."""

from __future__ import annotations

import json

from isengard.domain.job import Job
from isengard.domain.progress import ProgressEntry


def entry_of(stream_id: str, text: str) -> ProgressEntry:
    """Parse a stored event."""
    return ProgressEntry.model_validate_json(text).model_copy(update={"stream_id": stream_id})


def created_us(job: Job) -> int:
    """Return the time a job was made, in microseconds since 1970: what the indexes are sorted by."""
    return round(job.created_at.timestamp() * 1_000_000)


def due_ms(job: Job) -> str:
    """Return when a queued job's next attempt is due, in milliseconds since 1970; '' when it need not wait."""
    return str(int(job.not_before.timestamp() * 1000)) if job.not_before and job.status == "queued" else ""


def stream_fields(job: Job) -> list[str]:
    """Return the fields of a submission, name and value in turn."""
    created = job.created_at.isoformat()
    return [
        *("id", job.id, "type", job.type, "correlation_id", job.correlation_id),
        *("created_at", created, "payload", json.dumps(job.payload)),
    ]


def progress_fields(entry: ProgressEntry, text: str) -> list[str]:
    """Return the fields of an event, name and value in turn; ``text`` is the whole entry as JSON."""
    names = ("job_id", "correlation_id", "status", "progress", "current_step", "total_steps", "message")
    fields = [part for name in names for part in (name, str(getattr(entry, name)))]
    return [*fields, "timestamp", entry.timestamp.isoformat(), "preview_url", entry.preview_url or "", "entry", text]
