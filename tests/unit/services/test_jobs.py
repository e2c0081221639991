"""Jobs: wishes that the state allows or forbids, and the curve of the loss."""

from __future__ import annotations

import json

import pytest

from isengard.domain import event as ev
from isengard.domain.character import Character
from isengard.domain.job import Job
from isengard.domain.request import GenerationRequest, TrainingRequest
from isengard.errors import Conflict, NotFound
from isengard.runtime import Runtime
from isengard.services import jobs as jobs_module
from isengard.services.house import Isengard

ERROR = ev.JobError(message="It broke.", retryable=True)


@pytest.fixture
def job(house: Isengard, pictured: Character) -> Job:
    return house.training.submit(TrainingRequest(character_id=pictured.id))


def ended(runtime: Runtime, job: Job, event: ev.JobEvent) -> None:
    runtime.queue.record(job.id, ev.Claimed(worker="one"))
    runtime.queue.record(job.id, event)


def test_a_waiting_job_is_cancelled_at_once_and_may_be_retried(house: Isengard, job: Job) -> None:
    assert house.jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(Conflict, match="cancelled cannot be cancelled"):
        house.jobs.cancel(job.id)
    again = house.jobs.retry(job.id)
    assert (again.status, again.failures) == ("queued", 0)


def test_a_running_job_is_asked_to_end_and_may_be_asked_again(house: Isengard, runtime: Runtime, job: Job) -> None:
    runtime.queue.record(job.id, ev.Claimed(worker="one"))
    assert house.jobs.cancel(job.id).status == "cancelling"
    assert house.jobs.cancel(job.id).status == "cancelling"


@pytest.mark.parametrize("wish", ["cancel", "stop", "retry"])
def test_a_completed_job_takes_no_wish(house: Isengard, runtime: Runtime, job: Job, wish: str) -> None:
    ended(runtime, job, ev.Completed())
    with pytest.raises(Conflict, match="A job that is completed cannot be"):
        getattr(house.jobs, wish)(job.id)


def test_a_job_that_waits_or_runs_cannot_be_retried(house: Isengard, runtime: Runtime, job: Job) -> None:
    with pytest.raises(Conflict, match="queued cannot be retried"):
        house.jobs.retry(job.id)
    runtime.queue.record(job.id, ev.Claimed(worker="one"))
    with pytest.raises(Conflict, match="running cannot be retried"):
        house.jobs.retry(job.id)
    assert house.jobs.get(job.id).status == "running"


def test_a_failed_job_is_retried_with_all_its_attempts(house: Isengard, runtime: Runtime, job: Job) -> None:
    ended(runtime, job, ev.Failed(error=ERROR))
    again = house.jobs.retry(job.id)
    assert (again.status, again.failures, again.error) == ("queued", 0, None)


def test_only_a_running_training_can_be_stopped(house: Isengard, runtime: Runtime, job: Job) -> None:
    with pytest.raises(Conflict, match="queued cannot be stopped"):
        house.jobs.stop(job.id)
    runtime.queue.record(job.id, ev.Claimed(worker="one"))
    assert house.jobs.stop(job.id).stop_asked
    picture = house.generation.submit(GenerationRequest(prompt="a cat"))
    with pytest.raises(Conflict, match="Only a training"):
        house.jobs.stop(picture.id)


def test_only_a_running_training_saves_and_samples_now(house: Isengard, runtime: Runtime, job: Job) -> None:
    for ask, wish in ((house.jobs.save_now, "saved"), (house.jobs.sample_now, "sampled")):
        with pytest.raises(Conflict, match=f"queued cannot be {wish}"):
            ask(job.id)
    runtime.queue.record(job.id, ev.Claimed(worker="one"))
    assert house.jobs.save_now(job.id).saves_asked == 1
    assert house.jobs.sample_now(job.id).samples_asked == 1
    picture = house.generation.submit(GenerationRequest(prompt="a cat"))
    for ask in (house.jobs.save_now, house.jobs.sample_now):
        with pytest.raises(Conflict, match="Only a training"):
            ask(picture.id)


def test_an_unknown_job_is_not_found_by_anything(house: Isengard) -> None:
    jobs = house.jobs
    for ask in (jobs.get, jobs.cancel, jobs.stop, jobs.retry, jobs.events, jobs.save_now, jobs.sample_now):
        with pytest.raises(NotFound):
            ask("train-none")
    for look in (house.jobs.loss, house.jobs.previews):
        with pytest.raises(NotFound):
            look("train-none")
    with pytest.raises(NotFound):
        house.jobs.file("train-none", "a.png")


def test_sample_pictures_are_told_and_served(house: Isengard, runtime: Runtime, job: Job) -> None:
    path = runtime.storage.work(job.id) / "samples" / "step-10.png"
    runtime.storage.write_bytes(path, b"png")
    runtime.queue.record(job.id, ev.Claimed(worker="one"))
    runtime.queue.record(job.id, ev.Preview(step=10, path=str(path), url=f"/api/jobs/{job.id}/files/step-10.png"))
    assert [preview.step for preview in house.jobs.previews(job.id)] == [10]
    assert house.jobs.file(job.id, "step-10.png") == path


# --- the loss --------------------------------------------------------------------------------


def curve(runtime: Runtime, job: Job, steps: list[int], tail: str = "") -> None:
    lines = [json.dumps([step, 1 / (n + 1), 1e-4]) for n, step in enumerate(steps)]
    text = "\n".join(lines) + "\n" + tail
    runtime.storage.write_bytes(runtime.storage.work(job.id) / "loss.jsonl", text.encode())


def test_a_job_that_has_not_begun_has_no_curve(house: Isengard, job: Job) -> None:
    assert list(house.jobs.loss(job.id)) == []


def test_the_curve_is_told_step_by_step(house: Isengard, runtime: Runtime, job: Job) -> None:
    curve(runtime, job, [1, 2, 3])
    found = house.jobs.loss(job.id)
    assert [(point.step, point.loss) for point in found] == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]


def test_steps_that_were_done_again_after_a_crash_replace_the_lost_ones(
    house: Isengard, runtime: Runtime, job: Job
) -> None:
    curve(runtime, job, [1, 2, 3, 4, 5, 6, 3, 4, 5])
    found = house.jobs.loss(job.id)
    assert [point.step for point in found] == [1, 2, 3, 4, 5]
    assert [point.loss for point in found[2:]] == [1 / 7, 1 / 8, 1 / 9]


def test_a_line_that_a_crash_cut_off_is_left_out(house: Isengard, runtime: Runtime, job: Job) -> None:
    curve(runtime, job, [1, 2], tail="[3, 0.2")
    assert [point.step for point in house.jobs.loss(job.id)] == [1, 2]


def test_a_line_that_a_crash_cut_off_spoils_no_later_one(house: Isengard, runtime: Runtime, job: Job) -> None:
    curve(runtime, job, [1, 2], tail="[3, 0.2[2, 0.5, 0.0001]\n[3, 0.25, 0.0001]\n")
    assert [point.step for point in house.jobs.loss(job.id)] == [1, 2, 3]


@pytest.mark.parametrize("count", [1999, 2000, 2001, 3999, 4000])
def test_a_long_curve_has_at_most_2000_points_and_ends_where_the_training_is(
    house: Isengard, runtime: Runtime, job: Job, count: int
) -> None:
    curve(runtime, job, list(range(1, count + 1)))
    found = house.jobs.loss(job.id)
    assert len(found) <= jobs_module.MAX_POINTS
    assert (found[0].step, found[-1].step) == (1, count)
