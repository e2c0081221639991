"""Our client beside others: cancelling, many prompts, older servers, and a server of somebody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from comfy_double.process import Double
from comfy_double.seen import pixels, plain
from comfy_double.studio import FITTING, Studio, lora_bytes

from isengard.domain.lease import Stop
from isengard.errors import (
    BackendOutput,
    BackendUnavailable,
    Cancelled,
    IsengardError,
)
from plugins.comfyui import client, prompt

OF_DIT = "transformer.single_transformer_blocks.0.attn.to_q"
POSTED = {"at": "request", "when": {"route": "POST /prompt"}}


pytestmark = pytest.mark.usefixtures("impatient")


# --- cancelling ------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.33.0", "0.24.0", "0.3.75"])
def test_cancelling_hits_no_other_prompt(studio: Studio, version: str, eventually: Callable[..., None]) -> None:
    studio.plan.write(step_seconds=0.05, version=version)
    stops = [Stop() for _ in range(3)]
    runs = [studio.run(stop=stop, seed=100 * n, steps=20) for n, stop in enumerate(stops)]
    results: list[list[list[bytes] | Exception]] = []
    drawing = threading.Thread(target=lambda: results.append(studio.at_once(runs)))
    drawing.start()
    eventually(lambda: studio.submitted() == 3)
    eventually(lambda: studio.plan.journal("started"))
    stops[1].cancel.set()  # it may run or wait
    drawing.join(60)
    first, second, third = results[0]
    assert isinstance(second, Cancelled)
    assert [len(files) if isinstance(files, list) else files for files in (first, third)] == [1, 1]
    assert studio.started() == 1


def test_cancelling_takes_back_what_waits_on_the_server(studio: Studio, eventually: Callable[..., None]) -> None:
    studio.plan.write(step_seconds=0.1)
    stop = Stop()
    found: list[Any] = []
    run = studio.run(stop=stop, steps=100, count=4)
    drawing = threading.Thread(target=lambda: found.extend(studio.at_once([run])))
    drawing.start()
    eventually(lambda: studio.submitted() == 2)
    stop.cancel.set()
    drawing.join(30)
    assert isinstance(found[0], Cancelled)
    assert len(studio.draw()) == 1, "nothing of the cancelled run is in the way"
    assert studio.submitted() == 3


def test_cancelling_does_not_wait_for_a_frozen_server(
    studio: Studio, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 2.0)
    studio.plan.write({"at": "step", "do": "freeze"})
    stop = Stop()
    found: list[Any] = []
    ended_at: list[float] = []

    def draw() -> None:
        found.extend(studio.at_once([studio.run(stop=stop)]))
        ended_at.append(time.monotonic())

    drawing = threading.Thread(target=draw)
    drawing.start()
    eventually(lambda: studio.plan.journal("misbehaved"))
    stop.cancel.set()
    drawing.join(10)  # its own limit is 2 s; the server would hold the answer back for ever
    assert ended_at, "still waiting for a server that does not answer"
    assert isinstance(found[0], Cancelled)


# --- many, old, and somebody else's ----------------------------------------------------------


def test_two_hundred_prompts_at_once(studio: Studio) -> None:
    studio.plan.write(step_seconds=0)
    runs = [studio.run(count=25, steps=1, seed=1000 * n) for n in range(8)]
    found = studio.at_once(runs)
    files = [file for files in found if isinstance(files, list) for file in files]
    assert [files for files in found if not isinstance(files, list)] == []
    assert len({pixels(file) for file in files}) == 200
    assert studio.submitted() == 200


@pytest.mark.parametrize("version", ["0.3.75", "0.24.0"])
def test_an_older_server_draws_as_well(studio: Studio, version: str) -> None:
    studio.plan.write({"at": "step", "do": "die", "when": {"seed": 6}}, version=version)
    assert len(studio.draw(studio.lora(lora_bytes()), count=3)) == 3


def test_a_server_that_gives_its_own_prompt_ids_is_called_too_old(
    studio: Studio, double: Callable[..., Double]
) -> None:
    theirs = double(version="0.3.40")
    theirs.model("checkpoints", "tiny.safetensors")
    studio.options["comfyui_url"] = theirs.url
    with pytest.raises(IsengardError, match=r"old|newer") as caught:
        studio.draw()
    assert plain(caught.value)


def somebody_elses(studio: Studio, double: Callable[..., Double]) -> Double:
    theirs = double()
    theirs.model("checkpoints", "tiny.safetensors")
    theirs.model("loras", "one/v1.safetensors", lora_bytes())
    studio.options["comfyui_url"] = theirs.url
    return theirs


def test_somebody_elses_server_is_used_and_left_running(studio: Studio, double: Callable[..., Double]) -> None:
    theirs = somebody_elses(studio, double)
    assert len(studio.draw(studio.lora(lora_bytes()), count=2)) == 2
    studio.close()
    assert theirs.process.poll() is None


def test_somebody_elses_server_that_is_started_again_is_used_again(
    studio: Studio, double: Callable[..., Double]
) -> None:
    theirs = somebody_elses(studio, double)
    theirs.plan.write({"at": "step", "do": "die", "when": {"seed": 6}})
    with pytest.raises(BackendUnavailable) as caught:
        studio.draw(count=3)
    assert plain(caught.value)
    assert caught.value.retryable, "the job is tried again by itself"
    assert theirs.process.wait(30) == -9
    theirs.launch()
    theirs.await_ready()
    assert len(studio.draw(count=3)) == 3


def test_somebody_elses_server_that_stays_away_is_a_plain_failure(
    studio: Studio, double: Callable[..., Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "HANG_SECONDS", 1.0)
    theirs = somebody_elses(studio, double)
    theirs.plan.write({"at": "step", "do": "die"})
    with pytest.raises(BackendUnavailable) as caught:
        studio.draw()
    assert plain(caught.value)


def test_an_old_warning_in_somebody_elses_log_accuses_no_new_lora(
    studio: Studio, double: Callable[..., Double]
) -> None:
    theirs = somebody_elses(studio, double)
    theirs.plan.write({"at": "node", "do": "log", "lines": ["lora key not loaded: another.lora"]})
    assert len(studio.draw()) == 1  # the line is in the log now, said about a prompt of somebody else's
    assert len(studio.draw(studio.lora(lora_bytes()))) == 1


def test_a_key_that_somebody_elses_server_did_not_load_is_seen(studio: Studio, double: Callable[..., Double]) -> None:
    theirs = somebody_elses(studio, double)
    line = f"lora key not loaded: {FITTING}.lora_up.weight"
    theirs.plan.write({"at": "node", "do": "log", "lines": [line], "when": {"class_type": "LoraLoader"}})
    with pytest.raises(BackendOutput, match="did not load"):
        studio.draw(studio.lora(lora_bytes()))
