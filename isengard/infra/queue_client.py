"""The client that queue and hub speak to Redis with, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from isengard.errors import QueueUnavailable

_NO_ROOM = ("MISCONF", "OOM command not allowed")  # what a server says that cannot save, or is at maxmemory


@contextmanager
def reachable() -> Iterator[None]:
    """Turn the client's connection errors, and a server without room, into QueueUnavailable."""
    try:
        yield
    except redis.AuthenticationError as error:
        raise QueueUnavailable(
            "The job queue (Redis) asks for a password, and the one given is missing or wrong.",
            "Put it into REDIS_URL: redis://:password@host:6379/0.",
        ) from error
    except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError) as error:
        raise QueueUnavailable(
            "The job queue (Redis) cannot be reached.",
            "Isengard keeps trying. With your own server, check REDIS_URL and that it runs.",
        ) from error
    except redis.ResponseError as error:
        if not any(word in str(error) for word in _NO_ROOM):
            raise
        raise QueueUnavailable(
            "The job queue has no room: its disk or memory is full.",
            "Free room on the volume (Redis of your own: on its disk, or raise maxmemory); it goes on by itself.",
        ) from error


class _Pool(redis.ConnectionPool):
    """A pool that does not look for unread data before each command.

    That look costs a turn of the interpreter lock, a quarter of a short job's time with two busy workers. It finds
    connections that the server has closed; commands find those by themselves, and are sent again.
    """

    def get_connection(self, command_name: Any = None, *_keys: Any, **_options: Any) -> Any:
        """Return a connected connection, an idle one where there is one."""
        del command_name
        pool: Any = self  # the stubs know nothing of what a pool is made of
        pool._checkpid()  # noqa: SLF001 - as the library's own method does
        with pool._lock:  # noqa: SLF001
            idle = pool._available_connections  # noqa: SLF001
            connection = idle.pop() if idle else self.make_connection()
            pool._in_use_connections.add(connection)  # noqa: SLF001
        try:
            connection.connect()
        except BaseException:
            self.release(connection)
            raise
        return connection


def connect(url: str, **options: Any) -> redis.Redis[str]:
    """Make a client that reconnects by itself for about two seconds before it gives up."""
    given = {"retry": Retry(ExponentialBackoff(cap=0.5, base=0.02), 8), "socket_connect_timeout": 5, **options}
    # Without these only connecting is retried, and a command whose connection breaks fails at once.
    lost: list[type[redis.RedisError]] = [redis.ConnectionError, redis.TimeoutError]
    pool: Any = _Pool.from_url(url, decode_responses=True, retry_on_error=lost, **given)
    client: Any = redis.Redis(connection_pool=pool)
    return cast("redis.Redis[str]", client)
