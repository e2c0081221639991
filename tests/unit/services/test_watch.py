"""The house's own round: what the owner is told, what is counted, what is tidied, and how room is measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from isengard.domain import event as ev
from isengard.domain.base import utc_now
from isengard.domain.job import REQUESTS, Job
from isengard.domain.request import GenerationRequest, TrainingRequest
from isengard.errors import Conflict, NotFound, QuotaExceeded
from isengard.infra.queue import Queue
from isengard.infra.webhook import Notice, Webhook
from isengard.runtime import Runtime
from isengard.services.alerts import TABS, Alerts
from isengard.services.house import Isengard

ERROR = ev.JobError(message="The engine fell over.", hint="Retry.", retryable=True)


@dataclass(frozen=True)
class Ear(Webhook):
    """Keeps what would be sent."""

    heard: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice) -> bool:
        self.heard.append(notice)
        return True


def alerts(queue: Queue, **options: str) -> tuple[Alerts, list[Notice]]:
    ear = Ear("https://ntfy.sh/topic")
    return Alerts(ear, queue, **options), ear.heard  # type: ignore[arg-type]


def job(**changes: object) -> Job:
    return Job.of(TrainingRequest(character_id="char-1"), "corr-1", "Zara: training").model_copy(update=changes)


def test_the_owner_hears_of_a_long_job_s_end_once(queue: Queue) -> None:
    told, heard = alerts(queue)
    done = job(status="completed", worked_seconds=600, message="v3 is ready", seq=9)
    told.ended(done, ev.Completed())
    told.ended(done, ev.Completed())
    assert [(n.title, n.text, n.urgent, n.link) for n in heard] == [
        ("Zara: training: done", "v3 is ready", False, "/?tab=training")
    ]


def test_short_jobs_and_who_wants_alerts_only_are_left_in_peace(queue: Queue) -> None:
    told, heard = alerts(queue)
    told.ended(job(status="completed", worked_seconds=5), ev.Completed())
    quiet, also_heard = alerts(queue, notify="alerts")
    quiet.ended(job(status="completed", worked_seconds=600), ev.Completed())
    assert heard == also_heard == []


def test_a_failure_is_urgent_and_says_why(queue: Queue) -> None:
    told, heard = alerts(queue)
    told.ended(job(status="failed"), ev.Failed(error=ERROR))
    assert (heard[0].urgent, heard[0].text) == (True, "The engine fell over. Retry.")


def test_crashes_that_repeat_are_a_crash_loop_and_pauses_are_not(queue: Queue) -> None:
    told, heard = alerts(queue)
    for _ in range(5):
        told.ended(job(), ev.Requeued(message="Paused", error=ERROR, why="pause"))
    assert heard == []
    for _ in range(3):
        told.ended(job(), ev.Requeued(message="Again", error=ERROR))
    assert [notice.title for notice in heard] == ["Something keeps crashing (Zara: training)"]


def test_a_trouble_is_told_again_only_once_it_was_over(queue: Queue) -> None:
    told, heard = alerts(queue)
    for _ in range(2):
        told.trouble("room-bad", "The volume is nearly full", "96 %")
    told.settled("room-bad")
    told.trouble("room-bad", "The volume is nearly full", "97 %")
    assert [notice.text for notice in heard] == ["96 %", "97 %"]


def test_a_test_message_needs_an_address(queue: Queue) -> None:
    told, heard = alerts(queue)
    assert told.test().sent == 1
    assert heard[0].title == "Isengard"
    with pytest.raises(Conflict, match="No webhook"):
        Alerts(Webhook(""), queue).test()


def test_what_ends_is_counted_with_its_cost(made: tuple[Isengard, Runtime], eventually: Callable[..., None]) -> None:
    _, runtime = made
    runtime.watch.metrics.price_per_hour = 3.6
    runtime.hub.start()
    runtime.hub.connected.wait(10)
    runtime.watch.start()
    queued = runtime.queue.submit(Job.of(GenerationRequest(prompt="a man"), "corr-1", "A man"))
    claimed = runtime.queue.advance(queued, ev.Claimed(worker="one"))
    runtime.queue.advance(claimed.model_copy(update={"started_at": utc_now() - timedelta(seconds=100)}), ev.Completed())
    eventually(lambda: b'isengard_jobs_ended_total{status="completed",type="generation"} 1.0' in text(runtime, made[0]))
    told = text(runtime, made[0]).decode()
    assert f'isengard_last_job_cost{{id="{queued.id}",type="generation"}} 0.1' in told
    assert 'isengard_jobs{status="completed",type="generation"} 1.0' in told
    assert "isengard_queue_oldest_seconds 0.0" in told
    runtime.watch.stop()
    runtime.hub.stop()


def text(_runtime: Runtime, house: Isengard) -> bytes:
    return house.system.metrics()


# --- room ------------------------------------------------------------------------------------


def test_room_is_told_by_kind_and_by_character(
    house: Isengard, pictured: object, shelve: Callable[..., object]
) -> None:
    report = house.system.watch.storage_use.report(fresh=True)
    kinds = {taken.name: taken.bytes for taken in report.kinds}
    assert kinds["photos"] > 0
    assert [taken.name for taken in report.characters] == ["Zara"]
    assert report.used_bytes == sum(kinds.values())
    assert report.level == "good"


@pytest.mark.parametrize(("share", "level"), [(0.5, "good"), (0.81, "warn"), (0.96, "bad"), (1.5, "bad")])
def test_a_quota_warns_at_80_and_95_percent(house: Isengard, pictured: object, share: float, level: str) -> None:
    use = house.system.watch.storage_use
    taken = use.usage(fresh=True).total
    use.quota_gb = taken / share / 2**30
    assert use.report(fresh=True).level == level
    assert house.system.storage.over_quota == (share > 1)
    if share > 1:
        with pytest.raises(QuotaExceeded):
            house.system.storage.require_space()
        assert not house.system.storage.has_room()


# --- clean-up ----------------------------------------------------------------------------------


def test_clean_up_frees_what_it_said_and_keeps_what_was_made(
    house: Isengard, pictured: object, runtime: Runtime
) -> None:
    storage = runtime.storage
    storage.write_bytes(storage.thumb("ab12"), b"x" * 9000)
    storage.write_bytes(storage.synthetic() / "char-1" / "rejected" / "1.png", b"x" * 9000)
    storage.write_bytes(storage.synthetic() / "char-1" / "images" / "2.png", b"x" * 9000)
    for rule in ("cache", "rejected"):
        before = {policy.id: policy for policy in house.system.overview().clean_up}[rule]
        assert before.bytes > 0
        gone = house.system.clean_up(rule)
        assert (gone.bytes, gone.count) == (before.bytes, before.count)
        assert {policy.id: policy for policy in house.system.overview().clean_up}[rule].bytes == 0
    assert (storage.synthetic() / "char-1" / "images" / "2.png").exists()
    assert storage.last_backup.parent.joinpath("locks").is_dir()
    with pytest.raises(NotFound):
        house.system.clean_up("everything")


def test_checkpoints_go_only_once_they_were_looked_at_and_the_training_has_ended(
    house: Isengard, runtime: Runtime
) -> None:
    storage = runtime.storage
    running = runtime.queue.submit(job())
    for job_id in ("train-unseen", "train-seen", running.id):
        folder = storage.loras("char-1") / "checkpoints" / job_id
        storage.write_bytes(folder / "step-000000010.safetensors", b"x")
        if job_id != "train-unseen":
            storage.write_bytes(folder / storage.LOOKED_AT, b"")
    house.system.clean_up("checkpoints")
    left = {path.name for path in (storage.loras("char-1") / "checkpoints").iterdir()}
    assert left == {"train-unseen", running.id}


def test_the_trash_is_kept_for_a_week(house: Isengard, runtime: Runtime) -> None:
    storage = runtime.storage
    for name, days in (("lora-new", 6), ("lora-old", 8)):
        folder = storage.trash / "loras" / name
        storage.write_bytes(folder / "weights.safetensors", b"x")
        past = time.time() - days * 86_400
        os.utime(folder, (past, past))
    runtime.watch.clean_up.apply_automatic()
    assert [path.name for path in (storage.trash / "loras").iterdir()] == ["lora-new"]


def test_work_of_a_cancelled_job_is_kept_for_a_week_and_that_of_a_failed_one_stays(
    house: Isengard, runtime: Runtime
) -> None:
    folders: list[Path] = []
    for cancelled, days in ((True, 8), (True, 6), (False, 8)):
        made = runtime.queue.submit(job())
        if cancelled:
            runtime.queue.record(made.id, ev.CancelAsked())
        folder = runtime.storage.work(made.id)
        runtime.storage.write_bytes(folder / "loss.jsonl", b"x")
        past = time.time() - days * 86_400
        os.utime(folder, (past, past))
        folders.append(folder)
    runtime.watch.clean_up.apply_automatic()
    assert [folder.exists() for folder in folders] == [False, True, True]


def test_old_jobs_are_forgotten_and_live_ones_never(queue: Queue) -> None:
    ended, live = queue.submit(job(id=job().id), "key-1"), queue.submit(job(id=job().id), "key-2")
    queue.record(ended.id, ev.CancelAsked())
    assert queue.forget_before(utc_now() - timedelta(days=1)) == 0
    assert queue.forget_before(utc_now() + timedelta(seconds=1)) == 1
    assert queue.find(ended.id) is None
    assert [one.id for one in queue.list().items] == [live.id]
    assert queue.counts()["training", "cancelled"] == 0
    assert queue._redis.hlen(queue.key("jobs", "idempotency")) == 0


def test_every_type_of_job_has_a_tab_that_a_message_links_to() -> None:
    assert TABS.keys() == REQUESTS.keys()
