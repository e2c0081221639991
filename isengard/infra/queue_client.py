"""The client that queue and hub speak to Redis with, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from isengard.errors import QueueUnavailable


@contextmanager
def reachable() -> Iterator[None]:
    """Turn the client's connection errors into QueueUnavailable."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError) as error:
        raise QueueUnavailable(
            "The job queue (Redis) cannot be reached.",
            "Isengard keeps trying. With your own server, check REDIS_URL and that it runs.",
        ) from error


def connect(url: str, **options: Any) -> redis.Redis[str]:
    """Make a client that reconnects by itself for about two seconds before it gives up."""
    given = {"retry": Retry(ExponentialBackoff(cap=0.5, base=0.02), 8), "socket_connect_timeout": 5, **options}
    # Without these only connecting is retried, and a command whose connection breaks fails at once.
    lost: list[type[redis.RedisError]] = [redis.ConnectionError, redis.TimeoutError]
    return redis.Redis.from_url(url, decode_responses=True, retry_on_error=lost, **given)
