"""The contract of a training backend, kept by the whole backend over the stand-in trainer."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from isengard.domain.event import Checkpoint, Metric, PluginEvent, Preview, Progress, Weights
from isengard.domain.lease import Stop
from isengard.errors import BackendCrashed, Cancelled, OutOfMemory
from isengard.plugins.protocols import TrainingRun
from plugins.aitoolkit.archs import FAMILIES
from plugins.aitoolkit.saves import newest_first
from tests.aitoolkit.bench import CAPTIONS, LEASE, Bench, again, of_kind, until

LONG = {"steps": 2000, "save_every": 10, "sample_every": 2000}


def is_step(number: int) -> object:
    return lambda event: isinstance(event, Metric) and event.step >= number


def trainers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "training.yaml" in " ".join(child.cmdline())]


# --- a whole run -----------------------------------------------------------------------------


def test_every_step_sample_and_checkpoint_is_told(bench: Bench, tmp_path: Path) -> None:
    events, _ = bench.train(bench.run(tmp_path))
    steps = of_kind(events, Metric)
    assert [event.step for event in steps] == list(range(1, 13))
    assert all(event.learning_rate == pytest.approx(1e-4) and 0 < event.loss < 2 for event in steps)
    assert [event.step for event in of_kind(events, Checkpoint)] == [4, 8]
    assert [event.step for event in of_kind(events, Preview)] == [6, 12]
    assert all(Path(event.path).stat().st_size for event in of_kind(events, Preview))
    told = [event.message for event in of_kind(events, Progress)]
    assert told[0] == "Preparing the pictures"
    assert told[-1] == "Checking the result"


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_ends_with_a_proven_file_that_says_what_it_is(bench: Bench, tmp_path: Path, family: str) -> None:
    _, file = bench.train(bench.run(tmp_path, base=bench.base(family)))
    with safe_open(str(file), "np") as opened:
        told, keys = opened.metadata(), set(opened.keys())
    assert len(keys) >= 9
    assert (told["ss_network_dim"], told["ss_steps"], told["ss_num_train_images"]) == ("4", "12", "3")
    assert (told["ss_sd_model_name"], told["modelspec.trigger_phrase"]) == (f"tiny-{family}", "ohwx")
    assert json.loads(told["training_info"])["step"] == 12
    assert json.loads(told["ss_tag_frequency"])["1_ohwx"]["smiling"] == 1
    assert json.loads(told["isengard"])["tools"]["ai-toolkit"] == "0.12.26"


def test_what_it_is_given_holds_no_orders(bench: Bench, tmp_path: Path) -> None:
    assert any("${" in caption and "[name]" in caption and " --" in caption for caption in CAPTIONS)
    bench.plan(at=2, code=1, says=["Error running job: enough"])
    with pytest.raises(BackendCrashed):
        list(bench.events(bench.run(tmp_path)))
    given = (tmp_path / "aitoolkit" / "training.yaml").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "aitoolkit" / "pictures").glob("*.txt")]
    assert len(texts) == 3
    assert all("ohwx" in text for text in texts)
    assert any("Zürich" in text for text in texts)
    for text in [given.replace('name: "[name]"', "").replace('"name": "[name]"', ""), *texts]:
        assert not any(order in text for order in ("${", "[name]", " --"))


def test_nothing_of_the_dataset_is_touched(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path)
    before = sorted(run.dataset[0].image.parent.iterdir())
    bench.train(run)
    assert sorted(run.dataset[0].image.parent.iterdir()) == before


def test_the_phases_are_told_in_words(bench: Bench, tmp_path: Path) -> None:
    bench.plan(start_seconds=0.5)
    told = [event.message for event in of_kind(bench.train(bench.run(tmp_path))[0], Progress)]
    assert {"Starting AI-Toolkit", "Loading the model"} & set(told)
    assert not any("Caching latents for" in message for message in told)


def test_without_its_tables_its_bar_is_read(bench: Bench, tmp_path: Path) -> None:
    bench.plan(tables=False, step_seconds=0.3)
    events, _ = bench.train(bench.run(tmp_path))
    steps = [event.step for event in of_kind(events, Metric)]
    assert steps == sorted(set(steps))
    assert steps[-1] == 12
    assert len(steps) > 6


# --- the end ---------------------------------------------------------------------------------


def test_cancelling_ends_it_within_a_few_steps_and_leaves_no_process(bench: Bench, tmp_path: Path) -> None:
    stop = Stop()
    events = bench.events(bench.run(tmp_path, stop, **LONG))
    until(events, is_step(3))  # type: ignore[arg-type]
    assert len(trainers()) == 1
    stop.cancel.set()
    last = 0
    with pytest.raises(Cancelled):
        for event in events:
            last = event.step if isinstance(event, Metric) else last
    assert last < LONG["steps"] / 10
    assert trainers() == []


@pytest.mark.parametrize("tables", [True, False])
def test_stop_and_keep_gives_the_weights_so_far(bench: Bench, tmp_path: Path, tables: bool) -> None:
    bench.plan(tables=tables, step_seconds=0.02)
    stop = Stop()
    events = bench.events(bench.run(tmp_path, stop, **LONG))
    taken = until(events, is_step(25))  # type: ignore[arg-type]
    stop.keep.set()
    *_, last = events
    assert isinstance(last, Weights)
    assert (20 if not tables else taken[-1].step) <= last.step < 500  # type: ignore[union-attr]
    assert load_file(last.path)


def test_a_checkpoint_and_samples_come_when_asked_for(bench: Bench, tmp_path: Path) -> None:
    bench.plan(step_seconds=0.02)
    stop = Stop()
    events = bench.events(bench.run(tmp_path, stop, steps=2000, save_every=2000, sample_every=2000))
    until(events, is_step(3))  # type: ignore[arg-type]
    stop.save.set()
    (saved,) = of_kind(until(events, lambda event: isinstance(event, Checkpoint)), Checkpoint)
    stop.sample.set()
    (drawn,) = of_kind(until(events, lambda event: isinstance(event, Preview)), Preview)
    assert 3 <= saved.step <= drawn.step < 500
    assert not stop.save.is_set()
    assert not stop.sample.is_set()
    stop.cancel.set()
    with pytest.raises(Cancelled):
        list(events)


# --- going on --------------------------------------------------------------------------------


def killed_at(bench: Bench, run: TrainingRun, step: int) -> list[PluginEvent]:
    """Train until a step, then kill the trainer; return what was told before."""
    events = bench.events(run)
    taken = until(events, is_step(step))  # type: ignore[arg-type]
    os.kill(trainers()[0].pid, signal.SIGKILL)
    with pytest.raises(OutOfMemory, match="killed by the system") as told:
        taken.extend(events)
    assert told.value.retryable
    return taken


def test_a_killed_trainer_is_told_and_the_next_goes_on_as_if_nothing_had_been(bench: Bench, tmp_path: Path) -> None:
    bench.plan(step_seconds=0.05)
    whole = of_kind(bench.train(bench.run(tmp_path / "whole", steps=60, save_every=20))[0], Metric)
    run = bench.run(tmp_path / "killed", steps=60, save_every=20)
    told = killed_at(bench, run, 30)
    before = of_kind(told, Metric)
    after = of_kind(bench.train(again(run, told))[0], Metric)
    assert before[-1].step - after[0].step < 20, "at most one save"
    curve = {event.step: event.loss for event in [*before, *after]}
    untold = range(before[-1].step + 1, after[0].step)  # it writes its log four times a second: the last part died
    assert len(untold) <= 0.25 / 0.05
    assert curve == pytest.approx({event.step: event.loss for event in whole if event.step not in untold}, abs=1e-3)


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.pt"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(bench: Bench, tmp_path: Path, name: str) -> None:
    bench.plan(step_seconds=0.05)
    run = bench.run(tmp_path, steps=60, save_every=8)
    told = killed_at(bench, run, 36)
    shutil.rmtree(tmp_path / "aitoolkit" / "lora")
    kept = newest_first(tmp_path / "checkpoints")
    while not (kept[0] / name).exists():  # the next save came before its optimizer was copied: as if killed sooner
        shutil.rmtree(kept.pop(0))
    newest, older = kept[:2]
    leaps = 0 if (older / "optimizer.pt").exists() else 1
    content = (newest / name).read_bytes()
    (newest / name).write_bytes(content[: len(content) // 2])
    assert not bench.training.resumable(newest)
    assert bench.training.resumable(older)
    after = of_kind(bench.train(again(run, told))[0], Metric)
    assert after[0].step == int(older.name.removeprefix("step-")) + 1
    leapt = [event for event in after if event.loss >= 1.4]  # the stand-in's, when states do not fit together
    assert len(leapt) <= leaps


def test_a_checkpoint_that_was_being_written_is_never_gone_on_from(bench: Bench, tmp_path: Path) -> None:
    bench.plan(step_seconds=0.02, save_seconds=1.5)
    run = bench.run(tmp_path, steps=30, save_every=8)
    events = bench.events(run)
    until(events, lambda event: isinstance(event, Progress) and event.message == "Saving a checkpoint")
    os.kill(trainers()[0].pid, signal.SIGKILL)
    with pytest.raises(OutOfMemory):
        list(events)
    bench.plan(step_seconds=0.005)
    after = of_kind(bench.train(run)[0], Metric)
    assert (after[0].step, after[-1].step) == (1, 30)


def test_what_was_trained_to_the_end_but_not_told_is_not_trained_again(bench: Bench, tmp_path: Path) -> None:
    bench.plan(at=13, signal=int(signal.SIGKILL))
    with pytest.raises(OutOfMemory):
        list(bench.events(bench.run(tmp_path)))
    events, _ = bench.train(bench.run(tmp_path))
    assert [event.step for event in of_kind(events, Metric)] == list(range(2, 13))  # the log leaves out the first


def test_losses_that_could_not_be_told_before_a_kill_are_told_after_it(bench: Bench, tmp_path: Path) -> None:
    bench.plan(at=11, signal=int(signal.SIGKILL))
    with pytest.raises(OutOfMemory):
        list(bench.events(bench.run(tmp_path)))
    bench.plan()
    events, _ = bench.train(replace(bench.run(tmp_path), told_step=5))
    assert [event.step for event in of_kind(events, Metric)] == [6, 7, 8, 9, 10, 11, 12]


def test_closing_ends_what_runs(bench: Bench, tmp_path: Path) -> None:
    training = bench.training
    events = training.train(bench.run(tmp_path, **LONG), LEASE)
    until(events, is_step(2))  # type: ignore[arg-type]
    training.close()
    assert trainers() == []
    with pytest.raises(BackendCrashed, match="ended by another program"):
        list(events)
