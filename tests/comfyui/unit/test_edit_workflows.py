"""Workflows that take a person from pictures and the rest from words."""

from __future__ import annotations

import pytest

from plugins.comfyui.graph import Values, build
from plugins.comfyui.markers import places
from plugins.comfyui.workflows import Workflow, Workflows

FILES = dict.fromkeys(("DIFFUSION_MODEL", "TEXT_ENCODER_1", "TEXT_ENCODER_2", "VAE"), "file.safetensors")
EDITS = [one for one in Workflows().all() if one.task == "edit"]


def loaded(workflow: Workflow, *images: str) -> list[str]:
    values = Values(prompt="smiling", filename_prefix="job/1", seed=1, images=images, files=FILES)
    nodes = build(workflow, values).values()
    return [node["inputs"]["image"] for node in nodes if node["class_type"] == "LoadImage"]


@pytest.mark.parametrize("workflow", EDITS, ids=lambda one: one.id)
def test_an_edit_takes_references_an_instruction_and_a_size(workflow: Workflow) -> None:
    asked = {"PROMPT", "SEED", "STEPS", "GUIDANCE", "WIDTH", "HEIGHT", "IMAGE", "LORA", "FILENAME_PREFIX"}
    assert asked <= {place.marker for place in places(workflow.nodes)}


@pytest.mark.parametrize("workflow", EDITS, ids=lambda one: one.id)
def test_the_first_reference_comes_first_and_fewer_than_asked_are_repeated(workflow: Workflow) -> None:
    places_for = len(loaded(workflow, "a.png", "b.png", "c.png"))
    assert loaded(workflow, "a.png", "b.png", "c.png") == ["a.png", "b.png", "c.png"][:places_for]
    assert loaded(workflow, "a.png", "b.png") == ["a.png", "b.png", "a.png"][:places_for]
    assert loaded(workflow, "a.png") == ["a.png"] * places_for
