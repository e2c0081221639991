"""Download jobs on real worker threads, a real queue and a real HTTP server: progress, cancel, retry, lanes."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isengard.domain import event as ev
from isengard.domain.job import Job
from isengard.domain.request import DownloadRequest, TrainingRequest
from isengard.infra.downloads import Downloader
from isengard.infra.hub import Hub
from isengard.infra.queue import Queue
from isengard.infra.sota import Registry
from isengard.infra.storage import Storage
from isengard.workers.download_model import DownloadModel
from isengard.workers.worker import Workers

sys.path.insert(0, str(Path(__file__).parents[1] / "infra"))
from file_server import FileServer

CONTENT = bytes(range(256)) * 8000
Wait = Callable[..., None]


@pytest.fixture
def web() -> Iterator[FileServer]:
    with FileServer({"a.safetensors": CONTENT}) as made:
        yield made


@pytest.fixture
def workers(web: FileServer, storage: Storage, queue: Queue, hub: Hub, tmp_path: Path) -> Iterator[Workers]:
    file = {"path": "a.safetensors", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    source = {"id": "web", "kind": "url", "use": ["images"], "name": web.url, "files": [file]}
    facts = {"id": "tiny", "name": "Tiny", "source": "here", "license": "MIT", "version": "1", "purpose": "tests"}
    path = tmp_path / "registry.yml"
    path.write_text(json.dumps({"models": [facts | {"sources": [source]}]}))
    registry = Registry(path, tmp_path, storage.models)
    held = threading.Event()

    def train(_job: Job, _emit: Callable[[ev.JobEvent], None], _stop: object) -> ev.Completed:
        held.wait(20)
        return ev.Completed()

    handlers = {"training": train, "download": DownloadModel(storage, registry, Downloader(storage))}
    made = Workers(queue, hub, handlers, threads=1)
    made.start()
    yield made
    held.set()
    made.stop()


def submit(queue: Queue) -> Job:
    return queue.submit(Job.of(DownloadRequest(model_id="tiny", source="web"), "corr-1", "Tiny: download"))


def test_a_download_ends_with_the_file_and_is_listed(
    workers: Workers, queue: Queue, storage: Storage, eventually: Wait
) -> None:
    job = submit(queue)
    eventually(lambda: queue.get(job.id).final)
    done = queue.get(job.id)
    assert (done.status, done.progress, done.message) == ("completed", 100.0, "Tiny: 1 file came")
    assert (storage.models / "a.safetensors").read_bytes() == CONTENT
    assert [found.id for found in queue.list("download").items] == [job.id]
    assert queue.counts()["download", "completed"] == 1


def test_it_does_not_wait_for_a_training(workers: Workers, queue: Queue, eventually: Wait) -> None:
    training = queue.submit(Job.of(TrainingRequest(character_id="char-1"), "corr-2", "Zara: training"))
    eventually(lambda: queue.get(training.id).status == "running")
    job = submit(queue)
    eventually(lambda: queue.get(job.id).status == "completed")
    assert queue.get(training.id).status == "running"


def test_cancel_keeps_what_came_and_retry_goes_on(
    workers: Workers, queue: Queue, storage: Storage, web: FileServer, eventually: Wait
) -> None:
    web.seconds_a_block = 0.05
    job = submit(queue)
    eventually(lambda: queue.get(job.id).current_step > 0)
    web.seconds_a_block = 0.5  # it cannot end by itself meanwhile
    queue.record(job.id, ev.CancelAsked())
    eventually(lambda: queue.get(job.id).status == "cancelled")
    kept = (storage.models / "a.safetensors.partial").stat().st_size
    assert 0 < kept < len(CONTENT)
    web.seconds_a_block = 0
    queue.record(job.id, ev.Requeued(message="Again", reset_attempts=True))
    eventually(lambda: queue.get(job.id).status == "completed")
    assert web.ranges()[-1] == f"bytes={kept}-"
    assert (storage.models / "a.safetensors").read_bytes() == CONTENT


def test_a_file_that_is_gone_fails_once_and_says_so(
    workers: Workers, queue: Queue, web: FileServer, eventually: Wait
) -> None:
    web.files.clear()
    job = submit(queue)
    eventually(lambda: queue.get(job.id).final)
    failed = queue.get(job.id)
    assert (failed.status, failed.attempt) == ("failed", 1)
    assert failed.error
    assert "a.safetensors" in failed.error.message
