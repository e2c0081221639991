"""A page of a list."""

from __future__ import annotations

from typing import Generic, TypeVar

from isengard.domain.base import Value

T = TypeVar("T")


class Page(Value, Generic[T]):
    """``next`` is the cursor of the following page, None at the end; ``total`` counts all."""

    items: tuple[T, ...] = ()
    next: str | None = None
    total: int = 0
