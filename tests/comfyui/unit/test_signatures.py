"""Graphs checked against node signatures: ours pass, each mistake is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plugins.comfyui.graph import Values, build
from plugins.comfyui.signatures import check, compact, offline
from plugins.comfyui.workflows import Workflow, Workflows

FILES = {
    "CHECKPOINT": "c.safetensors",
    "DIFFUSION_MODEL": "d",
    "TEXT_ENCODER_1": "t",
    "TEXT_ENCODER_2": "u",
    "VAE": "v",
}
VALUES = Values(prompt="a", filename_prefix="j", seed=1, loras=(("a", 1), ("b", 1)), images=("i.png",), files=FILES)
Graph = dict[str, dict[str, Any]]


def sd15() -> Graph:
    return build(Workflows().get("sd15-lora"), replace(VALUES, loras=()))


@pytest.mark.parametrize("workflow", Workflows().all(), ids=lambda workflow: workflow.id)
def test_ours_pass_with_their_defaults(workflow: Workflow) -> None:
    assert check(build(workflow, replace(VALUES, **workflow.defaults)), offline()) == []


def put(key: str, name: str, value: Any) -> Callable[[Graph], Any]:
    return lambda graph: graph[key]["inputs"].update({name: value})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda graph: graph["6"].update(class_type="Nope"), "this ComfyUI has no such node"),
        (lambda graph: graph["6"]["inputs"].pop("steps"), "Draw (KSampler, node 6): the input steps is missing."),
        (lambda graph: graph.pop("8"), "No node gives a picture out"),
        (put("6", "steps", "many"), "steps is 'many', but must be a whole number."),
        (put("6", "steps", 0), "steps is 0; it must be from 1 to 10000."),
        (put("6", "cfg", float("nan")), "cfg is nan; it must be from 0.0 to 100.0."),
        (put("6", "sampler_name", "euller"), "did you mean 'euler'?"),
        (put("6", "model", "x"), "model needs a link to a node that gives MODEL, not a value."),
        (put("6", "model", ["99", 0]), "model is linked to node 99, which is not there."),
        (put("6", "model", ["1", 7]), "model takes output 7 of Load checkpoint (CheckpointLoaderSimple, node 1)"),
        (
            put("6", "model", ["1", 1]),
            "model needs MODEL, but Load checkpoint (CheckpointLoaderSimple, node 1) gives CLIP",
        ),
        (put("6", "latent_image", ["6", 0]), "feed each other in a circle"),
    ],
)
def test_each_mistake_is_named(spoil: Callable[[Graph], Any], said: str) -> None:
    graph = sd15()
    spoil(graph)
    sentences = check(graph, offline())
    assert any(said in sentence for sentence in sentences), sentences


def test_what_leads_to_no_output_is_not_looked_at() -> None:
    graph = sd15()
    graph["50"] = {"class_type": "KSampler", "inputs": {}}
    assert check(graph, offline()) == []


@pytest.mark.parametrize("form", [[["a.safetensors"], {}], ["COMBO", {"options": ["a.safetensors"]}]])
def test_a_live_servers_model_list_counts_in_both_forms(form: list[Any]) -> None:
    loader = {**offline()["CheckpointLoaderSimple"], "input": {"required": {"ckpt_name": form}}}
    live = {**offline(), "CheckpointLoaderSimple": loader}
    assert any("'c.safetensors', which is none of a.safetensors" in said for said in check(sd15(), live))
    graph = sd15()
    graph["1"]["inputs"]["ckpt_name"] = "a.safetensors"
    assert check(graph, live) == []


def test_our_file_is_its_own_compact_form() -> None:
    kept = {name: one for name, one in offline().items() if "null" not in str(one)}
    assert compact(kept, list(kept)).keys() == kept.keys()
    assert compact(kept, ["KSampler"])["KSampler"] == kept["KSampler"]
