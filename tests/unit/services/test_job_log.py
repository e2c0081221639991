"""The log of a job: what happened in words, counts once, and the end of what a trainer printed."""

from __future__ import annotations

from isengard.domain import event as ev
from isengard.domain.character import Character
from isengard.domain.request import TrainingRequest
from isengard.runtime import Runtime
from isengard.services.house import Isengard
from isengard.services.job_log import TAIL_BYTES


def test_a_log_tells_what_happened_without_every_step(house: Isengard, runtime: Runtime, pictured: Character) -> None:
    job = house.training.submit(TrainingRequest(character_id=pictured.id))
    metric = {"total_steps": 9, "loss": 0.1, "learning_rate": 0.1}
    happened: list[ev.JobEvent] = [
        ev.Claimed(worker="one"),
        ev.Progress(message="Loading the model"),
        ev.Progress(message="Loading the model"),
        ev.Progress(message="Encoding pictures 1/2"),
        ev.Progress(message="Encoding pictures 2/2"),
        ev.Metric(step=1, **metric),
        ev.Checkpoint(step=1, path="a"),
        ev.Metric(step=2, **metric),
        ev.Checkpoint(step=2, path="b"),
        ev.Failed(error=ev.JobError(message="It broke.", hint="Try again.")),
    ]
    for event in happened:
        runtime.queue.record(job.id, event)
    log = house.jobs.log(job.id)
    assert [line.text for line in log.items] == [
        "Starting",
        "Loading the model",
        "Encoding pictures 2/2",
        "Saved a checkpoint at step 1",
        "Saved a checkpoint at step 2",
        "It broke. Try again.",
    ]
    assert log.printed == ()


def test_the_end_of_what_a_trainer_printed_is_told(house: Isengard, runtime: Runtime, pictured: Character) -> None:
    job = house.training.submit(TrainingRequest(character_id=pictured.id))
    path = runtime.storage.work(job.id) / "aitoolkit" / "trainer.log"
    path.parent.mkdir(parents=True)
    path.write_text("Loading transformer\nLoading VAE\n")
    assert house.jobs.log(job.id).printed == ("Loading transformer", "Loading VAE")
    path.write_text("".join(f"line {number:06}\n" for number in range(10_000)))
    printed = house.jobs.log(job.id).printed
    assert printed[-1] == "line 009999"
    assert sum(len(line) + 1 for line in printed) <= TAIL_BYTES
    assert all(len(line) == len("line 000000") for line in printed)
