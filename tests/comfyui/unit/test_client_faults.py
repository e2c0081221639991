"""Our client against bad input and wrong pictures: every fault ends in the right picture or in a plain message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comfy_double.seen import pixels, plain
from comfy_double.studio import FITTING, Studio, lora_bytes

from isengard.domain.event import Picture, Preview, Progress
from isengard.errors import (
    BackendCrashed,
    BackendOutput,
    BackendUnavailable,
    InvalidInput,
    IsengardError,
    NotFound,
    OutOfMemory,
    OutOfVram,
)

OF_DIT = "transformer.single_transformer_blocks.0.attn.to_q"
POSTED = {"at": "request", "when": {"route": "POST /prompt"}}


pytestmark = pytest.mark.usefixtures("impatient")


# --- nothing wrong ---------------------------------------------------------------------------


def test_pictures_come_in_order_each_with_its_own_seed(studio: Studio) -> None:
    run = studio.run(count=3)
    events = list(studio.events(run))
    pictures = [event for event in events if isinstance(event, Picture)]
    assert [(picture.index, picture.seed) for picture in pictures] == [(0, 5), (1, 6), (2, 7)]
    assert {(picture.width, picture.height) for picture in pictures} == {(64, 64)}
    assert len({pixels(Path(picture.path).read_bytes()) for picture in pictures}) == 3
    steps = [event.step for event in events if isinstance(event, Progress) and event.total_steps]
    assert steps == sorted(steps)
    assert steps[-1] == 6
    assert all(Path(event.path).is_file() for event in events if isinstance(event, Preview))
    assert studio.submitted() == 3


def test_the_first_picture_of_a_fresh_server_is_listened_to(studio: Studio) -> None:
    studio.plan.write(node_seconds=0.1)  # our socket is there before the first step
    events = list(studio.events(studio.run(steps=4)))
    assert [event.step for event in events if isinstance(event, Progress) and event.total_steps] == [1, 2, 3, 4]
    assert any(isinstance(event, Preview) for event in events)


def test_the_same_request_gives_the_same_picture_in_a_new_file(studio: Studio) -> None:
    assert pixels(studio.draw()[0]) == pixels(studio.draw()[0])
    assert len(studio.plan.journal("started")) == 2


def test_a_lora_changes_the_picture_with_its_strength(studio: Studio) -> None:
    strengths = (0.0, 0.5, 1.0)
    drawn = [studio.draw(studio.lora(lora_bytes(), strength=strength))[0] for strength in strengths]
    assert len({pixels(file) for file in drawn}) == 3
    assert pixels(drawn[0]) == pixels(studio.draw()[0])


# --- bad input -------------------------------------------------------------------------------


def test_a_missing_checkpoint_is_named(studio: Studio) -> None:
    (studio.context.models_dir / studio.base.comfyui["CHECKPOINT"]).unlink()
    assert not studio.backend.supports(studio.base)
    with pytest.raises(BackendUnavailable, match=r"tiny\.safetensors") as caught:
        studio.draw()
    assert plain(caught.value)


@pytest.mark.parametrize(
    "content",
    [lora_bytes(OF_DIT, 3072), lora_bytes("nonsense"), lora_bytes()[:-40], b"", b"\xff" * 200],
    ids=["other family", "nonsense", "truncated", "empty", "no safetensors"],
)
def test_a_lora_that_cannot_fit_is_refused_before_the_server_is_asked(studio: Studio, content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        studio.draw(studio.lora(content))
    assert plain(caught.value)
    assert studio.submitted() == 0


def workflow(studio: Studio, name: str, nodes: dict[str, Any]) -> None:
    """Put a workflow of a person's own, in the form that ComfyUI's editor exports, into its folder."""
    folder = studio.root / "comfyui" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"isengard": {"families": ["sd15"]}, **nodes}))


OWN = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "CHECKPOINT_INJECT"}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "PROMPT_INJECT"}},
    "5": {
        "class_type": "EmptyLatentImage",
        "inputs": {"width": "WIDTH_INJECT", "height": "HEIGHT_INJECT", "batch_size": 1},
    },
    "6": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["3", 0],
            "negative": ["3", 0],
            "latent_image": ["5", 0],
            "seed": "SEED_INJECT",
            "steps": 2,
            "cfg": 1.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
        },
    },
    "7": {"class_type": "VAEDecode", "inputs": {"samples": ["6", 0], "vae": ["1", 2]}},
    "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0], "filename_prefix": "x"}},
}


def test_a_workflow_of_ones_own_is_drawn(studio: Studio) -> None:
    workflow(studio, "mine", OWN)
    assert len(studio.draw(workflow="mine")) == 1


def test_a_workflow_with_an_unknown_node_names_it(studio: Studio) -> None:
    workflow(studio, "mine", {**OWN, "7": {"class_type": "DreamDecode", "inputs": OWN["7"]["inputs"]}})
    with pytest.raises(InvalidInput, match="DreamDecode") as caught:
        studio.draw(workflow="mine")
    assert plain(caught.value)


def test_a_workflow_without_an_output_is_refused(studio: Studio) -> None:
    workflow(studio, "mine", {key: node for key, node in OWN.items() if key != "8"})
    with pytest.raises((InvalidInput, NotFound), match="picture") as caught:
        studio.draw(workflow="mine")
    assert plain(caught.value)


@pytest.mark.parametrize(
    ("rule", "kind", "words"),
    [
        ({"error": "corrupt_lora"}, InvalidInput, "damaged"),
        ({"error": "cpu_oom"}, OutOfMemory, "memory"),
        ({"error": "cuda_oom"}, OutOfVram, "GPU ran out of memory"),
        ({"error": "old_cuda_oom"}, OutOfVram, "GPU ran out of memory"),
        ({"error": "wrong_vae"}, BackendOutput, "16 channels"),
        ({"type": "KeyError", "message": ""}, BackendOutput, "KeyError"),
    ],
)
def test_what_fails_inside_the_server_is_put_plainly(
    studio: Studio, rule: dict[str, Any], kind: type[IsengardError], words: str
) -> None:
    studio.plan.write({"at": "node", "do": "error", "when": {"class_type": "KSampler"}, **rule})
    with pytest.raises(kind, match=words) as caught:
        studio.draw()
    assert plain(caught.value)
    assert len(studio.draw()) == 1, "the server lives on, and so do we"
    assert studio.started() == 1


# --- wrong pictures --------------------------------------------------------------------------


@pytest.mark.parametrize("spoiled", ["black", "constant", "nan", "truncated", "missing"])
def test_a_picture_that_is_none_is_a_failure(studio: Studio, spoiled: str) -> None:
    studio.plan.write({"at": "save", "do": spoiled, "times": 0})
    with pytest.raises((BackendOutput, BackendUnavailable, BackendCrashed)) as caught:
        studio.draw()
    assert plain(caught.value)
    studio.plan.write()
    assert len(studio.draw()) == 1


def test_node_errors_beside_a_200_are_a_failure_and_the_prompt_is_taken_back(
    studio: Studio, eventually: Callable[..., None]
) -> None:
    studio.plan.write({"at": "prompt", "do": "node_errors"}, step_seconds=0.2)
    with pytest.raises(InvalidInput) as caught:
        studio.draw(steps=100)
    assert plain(caught.value)
    eventually(lambda: any(line["route"].endswith("/cancel") for line in studio.plan.journal("request")))
    studio.plan.write(step_seconds=0)
    assert len(studio.draw()) == 1
    assert [line["success"] for line in studio.plan.journal("finished")] in ([True], [False, True])


def test_a_key_that_was_not_loaded_is_a_failure_though_the_server_says_success(studio: Studio) -> None:
    line = f"lora key not loaded: {FITTING}.lora_up.weight"
    studio.plan.write({"at": "node", "do": "log", "lines": [line], "when": {"class_type": "LoraLoader"}})
    with pytest.raises(BackendOutput, match="did not load 1 ") as caught:
        studio.draw(studio.lora(lora_bytes()))
    assert plain(caught.value)
    studio.plan.write()
    assert len(studio.draw()) == 1, "without the LoRA nothing is wrong"


def test_a_key_that_was_not_loaded_is_not_forgiven_because_the_server_keeps_the_result(studio: Studio) -> None:
    line = f"lora key not loaded: {FITTING}.lora_up.weight"
    studio.plan.write({"at": "node", "do": "log", "lines": [line], "when": {"class_type": "LoraLoader"}})
    lora = studio.lora(lora_bytes())
    for _ in range(2):  # the second time the node is not run again, and the server says nothing
        with pytest.raises(BackendOutput, match="did not load"):
            studio.draw(lora, count=2)


# --- answers that fail -----------------------------------------------------------------------


@pytest.mark.parametrize("route", ["GET /queue", "GET /history/{id}"])
def test_a_500_of_the_second_source_is_no_loss(studio: Studio, route: str) -> None:
    studio.plan.write(
        {"at": "request", "do": "status", "times": 2, "when": {"route": route}},
        {"at": "message", "do": "silent"},
        step_seconds=0.5,
    )
    assert len(studio.draw(steps=4)) == 1
    assert studio.submitted() == 1, "a prompt was drawn twice because a question about it failed"


def test_a_500_for_the_prompt_is_a_plain_failure_to_retry(studio: Studio) -> None:
    studio.plan.write({**POSTED, "do": "status"})
    with pytest.raises(BackendUnavailable) as caught:
        studio.draw()
    assert plain(caught.value)
    assert caught.value.retryable
    assert len(studio.draw()) == 1


def test_a_connection_cut_while_the_prompt_is_sent_makes_no_second_picture(studio: Studio) -> None:
    studio.plan.write({**POSTED, "do": "drop"})
    assert len(studio.draw()) == 1


def test_a_slow_history_is_waited_for(studio: Studio) -> None:
    studio.plan.write(
        {"at": "request", "do": "sleep", "seconds": 1.5, "times": 0, "when": {"route": "GET /history/{id}"}},
        {"at": "message", "do": "silent"},
    )
    assert len(studio.draw(count=2)) == 2
    assert studio.submitted() == 2
