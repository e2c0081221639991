"""Child processes: JSON lines both ways, and an end that is put into words."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from isengard.errors import BackendCrashed, OutOfMemory
from isengard.infra.process import Child

ECHO = """
import json, os, subprocess, sys
print("not JSON: a library talks", flush=True)
print("a warning", file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if message.get("grandchild"):
        message["pid"] = subprocess.Popen(["sleep", "60"]).pid
    if message.get("die"):
        sys.exit("it cannot go on")
    print(json.dumps(message | {"home": os.environ["HOUSE"]}), flush=True)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def child(tmp_path: Path, said: list[str]) -> Iterator[Child]:
    child = Child([sys.executable, "-c", ECHO], tmp_path, {"HOUSE": "Isengard"}, said.append)
    yield child
    child.terminate()


def test_messages_go_both_ways_and_other_lines_to_the_log(
    child: Child, said: list[str], eventually: Callable[..., None]
) -> None:
    child.send({"text": "Zoë\n日本"})
    assert child.receive(10) == {"text": "Zoë\n日本", "home": "Isengard"}
    assert child.receive(0.05) is None
    eventually(lambda: len(said) == 2)
    assert set(said) == {"not JSON: a library talks", "a warning"}


def test_a_child_that_ends_is_told_with_its_last_words_each_time_it_is_asked(child: Child) -> None:
    child.send({"die": True})
    for _ in range(2):
        with pytest.raises(BackendCrashed, match=r"code 1.*it cannot go on"):
            child.receive(10)
    with pytest.raises(BackendCrashed):
        child.send({})
    assert not child.alive


def test_a_child_that_the_system_kills_ran_out_of_memory_and_may_be_tried_again(child: Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(OutOfMemory) as told:
        child.receive(10)
    assert told.value.retryable
    assert "smaller" in told.value.hint


def test_its_own_children_end_with_it(child: Child, eventually: Callable[..., None]) -> None:
    child.send({"grandchild": True})
    answer = child.receive(10)
    assert answer is not None
    child.terminate()
    assert not child.alive

    def gone() -> bool:
        try:
            return psutil.Process(answer["pid"]).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    eventually(gone)
