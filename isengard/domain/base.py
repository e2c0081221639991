"""What all domain values share: immutability, ids that sort by time, UTC times."""

from __future__ import annotations

from datetime import UTC, datetime

import uuid_utils
from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value; unknown fields are refused so that a typing slip is an error, not silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def new_id(prefix: str) -> str:
    """Make an opaque id such as ``train-0193…``: UUID version 7, so that ids sort by creation time."""
    return f"{prefix}-{uuid_utils.uuid7().hex}"


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)
