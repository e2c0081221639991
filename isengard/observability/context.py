"""Who is at work: the service (api, web, worker) and the correlation id of what is being done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from isengard.domain.base import new_id

SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}\Z")


def correlation_id() -> str:
    """Return the present correlation id; a new one where none is bound."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    return str(bound) if bound else new_id("req")


@contextmanager
def request_context(service: str, given: str | None = None) -> Iterator[str]:
    """Bind a request's correlation id (the caller's if it is sane) and its service."""
    chosen = given if given and SANE_ID.match(given) else new_id("req")
    with structlog.contextvars.bound_contextvars(service=service, correlation_id=chosen):
        yield chosen


@contextmanager
def job_context(correlation: str, job_id: str) -> Iterator[None]:
    """Bind what every log line of a job carries."""
    with structlog.contextvars.bound_contextvars(service="worker", correlation_id=correlation, job_id=job_id):
        yield
