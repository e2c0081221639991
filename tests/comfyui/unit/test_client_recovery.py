"""Our client against a server that dies, falls silent or forgets: no picture is lost and none is made twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from comfy_double.seen import pixels, plain
from comfy_double.studio import Studio

from isengard.domain.event import Progress
from isengard.errors import (
    BackendCrashed,
    OutOfVram,
)
from plugins.comfyui import client, prompt

OF_DIT = "transformer.single_transformer_blocks.0.attn.to_q"
POSTED = {"at": "request", "when": {"route": "POST /prompt"}}


pytestmark = pytest.mark.usefixtures("impatient")


# --- a server that dies ----------------------------------------------------------------------

STAGES: dict[str, dict[str, Any]] = {
    "before it took the prompt": POSTED,
    "after it took the prompt": {"at": "accepted"},
    "before the prompt ran": {"at": "begin"},
    "while the model was loaded": {"at": "node", "when": {"class_type": "CheckpointLoaderSimple"}},
    "between two steps": {"at": "step", "when": {"step": 2}},
    "while the picture was saved": {"at": "save"},
    "before the history was written": {"at": "before_history"},
    "after the history was written": {"at": "after_history"},
    "while the picture was fetched": {"at": "request", "when": {"route": "GET /view"}},
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_killed_at_any_stage_costs_no_picture(studio: Studio, stage: str) -> None:
    studio.plan.write({**STAGES[stage], "do": "die"})
    drawn = [pixels(file) for file in studio.draw(count=3)]
    assert len(studio.plan.journal("died")) == 1
    assert studio.started() == 2
    assert drawn == [pixels(file) for file in studio.draw(count=3)], "not what an undisturbed server draws"


def test_a_prompt_that_kills_the_server_twice_is_given_up(studio: Studio) -> None:
    studio.plan.write({"at": "step", "do": "die", "times": 0, "when": {"text": "poison"}})
    with pytest.raises(BackendCrashed) as caught:
        studio.draw(prompt="poison")
    assert plain(caught.value)
    assert caught.value.retryable
    assert len(studio.plan.journal("died")) == 2
    assert len(studio.draw(prompt="water")) == 1


def test_one_killed_prompt_leaves_other_jobs_unharmed(studio: Studio) -> None:
    studio.plan.write({"at": "step", "do": "die", "when": {"seed": 101}}, step_seconds=0.01)
    runs = [studio.run(count=3, seed=seed) for seed in (100, 200, 300)]
    found = studio.at_once(runs)
    assert [len(files) if isinstance(files, list) else files for files in found] == [3, 3, 3]


def test_a_frozen_server_is_ended_and_started_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "HANG_SECONDS", 4.0)
    monkeypatch.setattr(client, "TIMEOUT", 1.5)
    studio.plan.write({"at": "step", "do": "freeze"})
    assert len(studio.draw(count=2)) == 2
    assert studio.started() == 2


# --- a socket that lies ----------------------------------------------------------------------


@pytest.mark.parametrize("action", ["drop", "zombie", "silent"])
@pytest.mark.parametrize("skip", [0, 7, 20])
def test_a_socket_that_breaks_or_falls_silent_costs_nothing(studio: Studio, action: str, skip: int) -> None:
    studio.plan.write({"at": "message", "do": action, "skip": skip}, step_seconds=0.02)
    assert len({pixels(file) for file in studio.draw(count=3)}) == 3
    assert studio.submitted() == 3, "nothing was drawn twice"
    assert studio.started() == 1


def test_a_zombie_socket_is_noticed_and_made_anew(studio: Studio, eventually: Callable[..., None]) -> None:
    studio.plan.write({"at": "message", "do": "zombie", "skip": 1})  # what follows may be over before it listens
    studio.draw()
    eventually(lambda: len(studio.plan.journal("socket")) >= 2)
    events = list(studio.events(studio.run(steps=4, seed=9)))
    assert [event for event in events if isinstance(event, Progress) and event.total_steps], "it is listened to again"


@pytest.mark.parametrize("kind", ["executed", "execution_success", "execution_start", "execution_error", "progress"])
def test_a_message_that_never_comes_is_made_up_for(studio: Studio, kind: str) -> None:
    rules = [{"at": "message", "do": "lose", "when": {"type": kind}, "times": 0}]
    if kind == "execution_error":
        rules.append({"at": "node", "do": "error", "error": "cuda_oom", "when": {"class_type": "KSampler"}})
    studio.plan.write(*rules)
    if kind == "execution_error":
        with pytest.raises(OutOfVram):
            studio.draw()
    else:
        assert len(studio.draw(count=2)) == 2
        assert studio.submitted() == 2


@pytest.mark.parametrize("action", ["junk", "foreign", "misname", "duplicate"])
def test_noise_is_ignored(studio: Studio, action: str) -> None:
    undisturbed = [pixels(file) for file in studio.draw(count=2)]
    studio.plan.write({"at": "message", "do": action, "times": 0})
    assert [pixels(file) for file in studio.draw(count=2)] == undisturbed
    assert studio.submitted() == 4


# --- lost prompts ----------------------------------------------------------------------------


def test_a_lost_prompt_is_sent_again_once_with_the_same_seed(studio: Studio) -> None:
    undisturbed = [pixels(file) for file in studio.draw(count=2)]
    studio.plan.write({"at": "prompt", "do": "lose"})
    assert [pixels(file) for file in studio.draw(count=2)] == undisturbed
    assert studio.submitted() == 2 + 3
    assert studio.started() == 1


def test_a_prompt_that_is_lost_again_is_a_failure(studio: Studio) -> None:
    studio.plan.write({"at": "prompt", "do": "lose", "times": 0})
    with pytest.raises(BackendCrashed, match="twice") as caught:
        studio.draw()
    assert plain(caught.value)
    assert studio.submitted() == 2


def test_a_prompt_without_history_is_not_waited_for_for_ever(studio: Studio) -> None:
    studio.plan.write({"at": "before_history", "do": "lose", "times": 0}, {"at": "message", "do": "silent", "times": 0})
    with pytest.raises(BackendCrashed):
        studio.draw()
