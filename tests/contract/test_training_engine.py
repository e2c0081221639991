"""The engine trains for real: what it writes, how it resumes, how it ends when asked."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from isengard.domain.event import Checkpoint, Metric, PluginEvent, Preview, Weights
from isengard.domain.lease import Stop
from isengard.errors import BackendCrashed, BackendError, Cancelled, InvalidInput, OutOfMemory
from tests.contract.conftest import LEASE, Bench

Trained = tuple[list[PluginEvent], Path, Path]


def test_every_step_is_reported_with_its_loss(trained: Trained) -> None:
    steps = [event for event in trained[0] if isinstance(event, Metric)]
    assert [event.step for event in steps] == list(range(1, 13))
    assert all(0 < event.loss < 100 for event in steps)


def test_samples_and_checkpoints_come_on_the_way(trained: Trained) -> None:
    events = trained[0]
    assert [e.step for e in events if isinstance(e, Preview)] == [6, 12]
    assert all(Path(e.path).stat().st_size > 500 for e in events if isinstance(e, Preview))
    assert [e.step for e in events if isinstance(e, Checkpoint)] == [6]


def test_the_file_says_what_it_is(trained: Trained) -> None:
    with safe_open(str(trained[1]), "np") as file:
        told = file.metadata()
    assert told["trigger_word"] == "zuvra person"
    assert told["base_model"] == "pocket"
    assert (told["base_model_sha256"], told["dataset_hash"]) == ("ab" * 32, "cd" * 32)
    assert (told["rank"], told["steps"], told["correlation_id"]) == ("16", "12", "req-test")


def test_the_keys_are_kohya_s_in_whole_threes(trained: Trained) -> None:
    keys = set(load_file(trained[1]))
    down = {key for key in keys if key.endswith(".lora_down.weight")}
    assert len(down) > 20
    ups = {key.replace(".lora_down.", ".lora_up.") for key in down}
    assert keys == down | ups | {key.replace(".lora_down.weight", ".alpha") for key in down}
    assert all(key.startswith("lora_unet_") for key in keys)


def test_training_changed_something(trained: Trained) -> None:
    tensors = load_file(trained[1])
    assert all(abs(tensor).max() > 0 for key, tensor in tensors.items() if ".lora_up." in key)


def test_a_checkpoint_holds_a_lora_that_draws(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    checkpoint = next(Path(e.path) for e in trained[0] if isinstance(e, Checkpoint))
    early = bench.generate(tmp_path / "a", checkpoint / "weights.safetensors")
    late = bench.generate(tmp_path / "b", trained[1])
    assert Path(early[0].path).read_bytes() != Path(late[0].path).read_bytes()


def test_a_training_goes_on_from_a_lora(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    """With a learning rate of next to nothing the file is what it began with."""
    _, weights = bench.train(bench.run(tmp_path, start_from=trained[1], steps=1, learning_rate=1e-12))
    before, after = load_file(trained[1]), load_file(weights)
    assert before.keys() == after.keys()
    assert all(abs(before[key] - after[key]).max() < 1e-6 for key in before)


def test_a_training_cannot_go_on_from_a_lora_of_another_rank(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not fit"):
        bench.train(bench.run(tmp_path, start_from=trained[1], steps=1, lora_rank=8))


def test_a_resumed_training_ends_with_the_same_weights(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    checkpoint = next(Path(e.path) for e in trained[0] if isinstance(e, Checkpoint))
    assert bench.training.resumable(checkpoint)
    events, weights = bench.train(replace(bench.run(tmp_path, resume_from=checkpoint), told_step=6))
    assert [e.step for e in events if isinstance(e, Metric)] == list(range(7, 13))
    whole, resumed = load_file(trained[1]), load_file(weights)
    assert all((whole[key] == resumed[key]).all() for key in whole)


def test_losses_that_could_not_be_told_before_a_kill_are_told_after_it(
    bench: Bench, trained: Trained, tmp_path: Path
) -> None:
    checkpoint = next(Path(e.path) for e in trained[0] if isinstance(e, Checkpoint))
    events, _ = bench.train(replace(bench.run(tmp_path, resume_from=checkpoint), told_step=3))
    losses = [(e.step, e.loss) for e in events if isinstance(e, Metric)]
    assert losses == [(e.step, e.loss) for e in trained[0] if isinstance(e, Metric)][3:]


def test_a_damaged_checkpoint_is_not_resumed_from(bench: Bench, trained: Trained, tmp_path: Path) -> None:
    checkpoint = next(Path(e.path) for e in trained[0] if isinstance(e, Checkpoint))
    copy = tmp_path / checkpoint.name
    copy.mkdir()
    for file in checkpoint.iterdir():
        content = file.read_bytes()
        (copy / file.name).write_bytes(content[:-1] if file.suffix == ".safetensors" else content)
    assert not bench.training.resumable(copy)
    assert not bench.training.resumable(tmp_path / "nowhere")


def test_cancelling_ends_it_within_a_few_steps(bench: Bench, tmp_path: Path) -> None:
    stop = Stop()
    last = 0
    with pytest.raises(Cancelled):
        for event in bench.training.train(bench.run(tmp_path, stop, steps=5000), LEASE):
            if isinstance(event, Metric):
                last = event.step
                if last == 3:
                    stop.cancel.set()
    assert last < 10


def test_stop_and_keep_gives_the_weights_so_far(bench: Bench, tmp_path: Path) -> None:
    stop = Stop()
    last: PluginEvent | None = None
    for event in bench.training.train(bench.run(tmp_path, stop, steps=5000), LEASE):
        if isinstance(event, Metric) and event.step == 3:
            stop.keep.set()
        last = event
    assert isinstance(last, Weights)
    assert 3 <= last.step < 500
    assert load_file(last.path)


def test_a_checkpoint_and_samples_come_when_asked_for(bench: Bench, tmp_path: Path) -> None:
    stop = Stop()
    told: list[PluginEvent] = []
    for event in bench.training.train(bench.run(tmp_path, stop, steps=5000, save_every=5000, sample_every=5000), LEASE):
        if isinstance(event, Metric) and event.step == 3:
            stop.save.set()
            stop.sample.set()
        told += [event] if isinstance(event, Checkpoint | Preview) else []
        if {type(one) for one in told} == {Checkpoint, Preview}:
            stop.keep.set()
    assert [type(one) for one in told] == [Checkpoint, Preview]
    assert all(3 <= one.step < 500 and Path(one.path).exists() for one in told)


def test_a_killed_child_is_told_and_replaced(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises((BackendCrashed, OutOfMemory)) as told:
        for event in bench.training.train(bench.run(tmp_path / "a", steps=5000), LEASE):
            if isinstance(event, Metric) and event.step == 2:
                for child in (engine._child for engine in bench.training._engines._engines if engine._child):
                    os.kill(child.pid, signal.SIGKILL)
    assert told.value.retryable
    assert told.value.hint
    bench.train(bench.run(tmp_path / "b", steps=2))


def test_a_diverging_training_fails_in_plain_words(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"diverged|NaN|not finite"):
        bench.train(bench.run(tmp_path, learning_rate=10.0, steps=60))


def test_an_unreadable_picture_fails_with_its_name(bench: Bench, tmp_path: Path) -> None:
    run = bench.run(tmp_path / "work")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    items = [type(run.dataset[0])(broken, "a caption")]
    with pytest.raises((InvalidInput, BackendError)):
        list(bench.training.train(type(run)(**{**run.__dict__, "dataset": items}), LEASE))


def test_what_has_trained_draws_without_a_new_start(
    bench: Bench, trained: tuple[list[PluginEvent], Path, Path], tmp_path: Path
) -> None:
    _, weights, _ = trained
    bench.images.release()
    bench.train(bench.run(tmp_path / "a", steps=2))
    (before,) = [engine._child for engine in bench.training._engines._engines if engine._child]
    alone = bench.generate(tmp_path / "b", weights)
    bench.train(bench.run(tmp_path / "c", steps=2))  # forgets the pipeline that drew
    again = bench.generate(tmp_path / "d", weights)
    (after,) = [engine._child for engine in bench.images._engines._engines if engine._child]
    assert before.pid == after.pid
    assert Path(alone[0].path).read_bytes() == Path(again[0].path).read_bytes()
