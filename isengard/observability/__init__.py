"""JSON logs in three folders, correlation ids, redaction, retention."""

from isengard.observability.context import correlation_id, job_context, request_context
from isengard.observability.logs import configure
from isengard.observability.redaction import redact

__all__ = ["configure", "correlation_id", "job_context", "redact", "request_context"]
