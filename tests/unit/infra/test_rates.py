"""Counting in Redis."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from isengard.errors import QueueUnavailable
from isengard.infra.queue import Queue
from isengard.infra.rates import Rates


def test_it_lets_so_many_through_and_says_when_to_return(queue: Queue) -> None:
    rates = Rates(queue)
    assert [rates.take("a", 2, 60) for _ in range(2)] == [0, 0]
    assert 1 <= rates.take("a", 2, 60) <= 61
    assert rates.take("b", 2, 60) == 0


def test_processes_share_the_count(queue: Queue) -> None:
    assert Rates(queue).take("a", 1, 60) == 0
    assert Rates(queue).take("a", 1, 60) > 0


def test_a_window_ends(queue: Queue) -> None:
    rates = Rates(queue)
    rates.take("a", 1, 2)
    wait = rates.take("a", 1, 2)
    assert wait > 0
    time.sleep(wait)
    assert rates.take("a", 1, 2) == 0


def test_it_can_forget(queue: Queue) -> None:
    rates = Rates(queue)
    rates.take("a", 1, 60)
    rates.forget("a")
    assert rates.take("a", 1, 60) == 0


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable):
        Rates(Queue(f"unix://{tmp_path}/none.sock", "test")).take("a", 1, 60)
