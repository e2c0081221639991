"""The editor's drawing of a graph: links and fields agree with it, and no node covers another."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from plugins.comfyui.canvas import canvas
from plugins.comfyui.graph import Values, build
from plugins.comfyui.signatures import inputs_of, offline
from plugins.comfyui.workflows import Workflow, Workflows

FILES = {
    "CHECKPOINT": "c.safetensors",
    "DIFFUSION_MODEL": "d",
    "TEXT_ENCODER_1": "t",
    "TEXT_ENCODER_2": "u",
    "VAE": "v",
}
VALUES = Values(prompt="a", filename_prefix="j", seed=1, loras=(("a", 1), ("b", 1)), images=("i.png",), files=FILES)


def read_back(drawn: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the graph that the editor would send: fields in order, then the links over them."""
    wires = {wire[0]: wire for wire in drawn["links"]}
    graph: dict[str, dict[str, Any]] = {}
    for node in drawn["nodes"]:
        left = iter(node["widgets_values"])
        inputs: dict[str, Any] = {}
        for one in inputs_of(offline()[node["type"]]).values():
            if one.widget:
                inputs[one.name] = next(left)
                for _ in {"control_after_generate", "image_upload"} & {k for k, v in one.settings.items() if v}:
                    next(left)
        for socket in node["inputs"]:
            wire = wires[socket["link"]]
            inputs[socket["name"]] = [str(wire[1]), wire[2]]
        assert list(left) == []
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


@pytest.mark.parametrize("workflow", Workflows().all(), ids=lambda workflow: workflow.id)
def test_the_drawing_says_the_same_as_the_graph(workflow: Workflow) -> None:
    graph = build(workflow, VALUES)
    expected = {key: {"class_type": n["class_type"], "inputs": n["inputs"]} for key, n in graph.items()}
    assert read_back(canvas(graph, offline())) == expected


@pytest.mark.parametrize("workflow", Workflows().all(), ids=lambda workflow: workflow.id)
def test_no_node_covers_another_and_links_run_to_the_right(workflow: Workflow) -> None:
    drawn = canvas(build(workflow, VALUES), offline())
    nodes = {node["id"]: node for node in drawn["nodes"]}
    for _, source, _, target, _, _ in drawn["links"]:
        assert nodes[source]["pos"][0] < nodes[target]["pos"][0]
    columns: dict[int, list[Any]] = {}
    for node in nodes.values():
        columns.setdefault(node["pos"][0], []).append((node["pos"][1], node["size"][1]))
    for column in columns.values():
        tops = sorted(column)
        assert all(top + height < below for (top, height), (below, _) in itertools.pairwise(tops))


def test_unknown_nodes_odd_ids_and_a_circle_are_drawn_too() -> None:
    graph = {
        "a:1": {"class_type": "Nope", "inputs": {"x": ["7", 1]}},
        "7": {"class_type": "Nope", "inputs": {"y": ["a:1", 0]}},
    }
    drawn = canvas(graph, offline())
    assert [node["id"] for node in drawn["nodes"]] == [8, 7]
    assert drawn["links"] == [[1, 7, 1, 8, 0, "*"], [2, 8, 0, 7, 0, "*"]]
