"""Workflows filled in: right types, a chain of LoRAs or none, and no marker left."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from isengard.errors import InvalidInput
from plugins.comfyui.graph import Values, build
from plugins.comfyui.markers import MARKER
from plugins.comfyui.workflows import Workflow, Workflows

FILES = {
    "CHECKPOINT": "c.safetensors",
    "DIFFUSION_MODEL": "d",
    "TEXT_ENCODER_1": "t",
    "TEXT_ENCODER_2": "u",
    "VAE": "v",
}
VALUES = Values(prompt="a cat", filename_prefix="job/7", seed=9, steps=3, images=("start.png",), files=FILES)
SD15 = Workflows().get("sd15-lora")


def with_nodes(*nodes: dict[str, Any]) -> Workflow:
    return replace(SD15, title="Mine", nodes=nodes)


@pytest.mark.parametrize("workflow", Workflows().all(), ids=lambda workflow: workflow.id)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_no_marker_is_left_and_the_workflow_stays_as_it_is(workflow: Workflow, count: int) -> None:
    before = deepcopy(workflow)
    graph = build(workflow, replace(VALUES, loras=tuple((f"{n}.safetensors", 0.5) for n in range(count))))
    assert MARKER.search(json.dumps(graph)) is None
    assert [node["class_type"] for node in graph.values()].count("LoraLoader") == count
    assert [n["inputs"]["filename_prefix"] for n in graph.values() if n["class_type"] == "SaveImage"] == ["job/7"]
    assert workflow == before


def test_loras_follow_one_another_and_the_last_feeds_the_rest() -> None:
    graph = build(SD15, replace(VALUES, loras=(("a", 1), ("b", -0.5))))
    assert graph["2"]["inputs"]["model"] == ["1", 0]
    assert graph["9"]["inputs"] == {
        "model": ["2", 0],
        "clip": ["2", 1],
        "lora_name": "b",
        "strength_model": -0.5,
        "strength_clip": -0.5,
    }
    assert graph["6"]["inputs"]["model"] == ["9", 0]
    assert [graph[key]["inputs"]["clip"] for key in ("3", "4")] == [["9", 1], ["9", 1]]


def test_without_loras_the_rest_is_fed_by_the_checkpoint() -> None:
    graph = build(SD15, VALUES)
    assert "2" not in graph
    assert graph["6"]["inputs"]["model"] == ["1", 0]
    assert graph["3"]["inputs"]["clip"] == ["1", 1]


def test_a_prompt_may_itself_speak_of_markers() -> None:
    graph = build(SD15, replace(VALUES, prompt="SEED_INJECT is \\1 NOPE_INJECT"))
    assert graph["3"]["inputs"]["text"] == "SEED_INJECT is \\1 NOPE_INJECT"


def test_numbers_have_the_types_that_comfyui_expects() -> None:
    inputs = build(SD15, replace(VALUES, guidance_scale=7))["6"]["inputs"]
    assert {name: type(inputs[name]) for name in ("seed", "steps", "cfg")} == {"seed": int, "steps": int, "cfg": float}


def test_markers_in_a_title_and_inside_a_text_are_filled() -> None:
    titled = {"title": "Draw SEED_INJECT STEPS_INJECT"}
    graph = build(
        with_nodes(
            {"id": "1", "class_type": "KSampler", "inputs": {"seed": 1, "steps": 1, "cfg": 2.5}, "_meta": titled},
            {"id": "2", "class_type": "CLIPTextEncode", "inputs": {"text": "PROMPT_INJECT, film grain"}},
        ),
        VALUES,
    )
    assert graph["1"] == {
        "class_type": "KSampler",
        "inputs": {"seed": 9, "steps": 3, "cfg": 2.5},
        "_meta": {"title": "Draw"},
    }
    assert graph["2"]["inputs"]["text"] == "a cat, film grain"


@pytest.mark.parametrize(("marker", "words"), [("CHECKPOINT", "model file"), ("IMAGE", "picture"), ("NOPE", "unknown")])
def test_a_marker_without_a_value_is_named(marker: str, words: str) -> None:
    workflow = with_nodes({"id": "1", "class_type": "X", "inputs": {"a": f"{marker}_INJECT"}})
    with pytest.raises(InvalidInput, match=f"{marker}_INJECT") as raised:
        build(workflow, replace(VALUES, images=(), files={}))
    assert words in raised.value.message
    assert raised.value.hint


def test_a_workflow_without_a_place_for_a_lora_says_so() -> None:
    with pytest.raises(InvalidInput, match="no place for a LoRA"):
        build(with_nodes({"id": "1", "class_type": "X", "inputs": {}}), replace(VALUES, loras=(("a", 1.0),)))


def test_a_clip_that_the_lora_node_never_had_is_refused() -> None:
    inputs = {"model": ["0", 0], "lora_name": "LORA_INJECT", "strength_model": 1.0}
    workflow = with_nodes(
        {"id": "1", "class_type": "LoraLoaderModelOnly", "inputs": inputs},
        {"id": "2", "class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "PROMPT_INJECT"}},
    )
    with pytest.raises(InvalidInput, match="input clip"):
        build(workflow, VALUES)
