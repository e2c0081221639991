"""Pages over ids that sort by time, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from isengard.domain.page import Page
from isengard.errors import InvalidInput

T = TypeVar("T")
MAX_LIMIT = 200


def page(keys: Sequence[str], cursor: str | None, limit: int, load: Callable[[str], T | None]) -> Page[T]:
    """Return the page after ``cursor`` (the last key seen) of keys already in display order."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is {limit}.", f"Use 1 to {MAX_LIMIT}.")
    start = keys.index(cursor) + 1 if cursor in keys else 0
    chosen = keys[start : start + limit]
    items = tuple(value for value in map(load, chosen) if value is not None)
    more = start + limit < len(keys)
    return Page(items=items, next=chosen[-1] if more and chosen else None, total=len(keys))
