"""How often something was done lately, counted in Redis, so that a restart does not forget and processes share it."""

from __future__ import annotations

from typing import cast

from isengard.infra.queue import Queue
from isengard.infra.queue_client import connect, reachable

# A window that starts with its first count. One script, so that no key is ever left without an end.
TAKE = """
local taken = redis.call('INCR', KEYS[1])
if taken == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {taken, redis.call('PTTL', KEYS[1])}
"""


class Rates:
    """Counters under the queue's prefix."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._redis = connect(queue.url, socket_timeout=10)
        self._take = self._redis.register_script(TAKE)

    def take(self, what: str, limit: int, window_seconds: int) -> int:
        """Count one more; return 0 when it is within the limit, else after how many seconds to come back.

        Raise QueueUnavailable when it cannot be counted.
        """
        with reachable():
            answer = self._take(keys=[self._queue.key("rate", what)], args=[window_seconds * 1000])
        taken, left_ms = cast("tuple[int, int]", answer)
        # A key lives to the end of its last millisecond.
        return 0 if taken <= limit else max(1, -(-(left_ms + 1) // 1000))

    def forget(self, what: str) -> None:
        """Start counting anew."""
        with reachable():
            self._redis.delete(self._queue.key("rate", what))
