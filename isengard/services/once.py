"""Idempotency keys for things that are not jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from isengard.domain.base import new_id
from isengard.errors import Conflict, NotFound
from isengard.infra.queue import Queue

T = TypeVar("T")


def once(queue: Queue, prefix: str, key: str | None, make: Callable[[str], T], load: Callable[[str], T]) -> T:
    """Make a thing under a fresh id, or return the one that was made under this key before."""
    identifier = new_id(prefix)
    if not key:
        return make(identifier)
    earlier = queue.remember(prefix, key, identifier)
    if earlier:
        return _earlier(earlier, load)
    try:
        return make(identifier)
    except BaseException:
        queue.forget(prefix, key)
        raise


def _earlier(identifier: str, load: Callable[[str], T]) -> T:
    try:
        return load(identifier)
    except NotFound as error:
        raise Conflict(
            "A request with this Idempotency-Key is being worked on, or what it made is deleted.",
            "Wait a moment and ask again, or use a new key.",
        ) from error
