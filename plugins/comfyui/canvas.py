"""A graph drawn for ComfyUI's editor, so that dropping the picture it made into ComfyUI shows the nodes again.

The format is version 0.4 of the editor's workflow JSON, which a PNG carries as the text ``workflow``
(docs.comfy.org/specs/workflow_json_0.4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from plugins.comfyui.markers import is_link, links, title_of
from plugins.comfyui.signatures import Graph, Input, Signatures, inputs_of, outputs_of

VERSION = 0.4
WIDTH = 300  # of a node, in the editor's units
GAP = (60, 70)  # between columns; between nodes of a column, the title bar of 30 included
ROW = 24  # height of a socket or field
TEXT = 120  # height of a field of several lines
PICTURE = 260  # height of a picture that a node shows
UNSET: Mapping[str, Any] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False, "COMBO": ""}


def canvas(graph: Graph, signatures: Signatures) -> dict[str, Any]:
    """Return the editor's workflow. A node that ``signatures`` does not know keeps its links, not its fields."""
    numbers = _numbers(graph)
    nodes = {key: _node(key, graph, signatures, numbers[key]) for key in graph}
    wires = _wires(graph, nodes, numbers)
    for column, keys in enumerate(_columns(graph)):
        top = 0
        for key in keys:
            nodes[key]["pos"] = [column * (WIDTH + GAP[0]), top]
            top += nodes[key]["size"][1] + GAP[1]
    return {
        "last_node_id": max(numbers.values(), default=0),
        "last_link_id": len(wires),
        "nodes": list(nodes.values()),
        "links": wires,
        "groups": [],
        "config": {},
        "extra": {},
        "version": VERSION,
    }


def _numbers(graph: Graph) -> dict[str, int]:
    """Give every node a number, its own where it has one: the editor takes no other ids."""
    numbers = {key: int(key) for key in graph if key.isdecimal() and str(int(key)) == key}
    free = max(numbers.values(), default=0)
    for key in graph:
        if key not in numbers:
            free += 1
            numbers[key] = free
    return numbers


def _node(key: str, graph: Graph, signatures: Signatures, number: int) -> dict[str, Any]:
    node = graph[key]
    signature = signatures.get(node["class_type"])
    expected = inputs_of(signature) if signature else {name: _unknown(name) for name, _, _ in links(node)}
    sockets = [_socket(one) for one in expected.values() if not one.widget or is_link(node["inputs"].get(one.name))]
    fields = [one for one in expected.values() if one.widget]
    outputs = _outputs(key, graph, signature)
    made = {
        "id": number,
        "type": node["class_type"],
        "pos": [0, 0],
        "size": [WIDTH, _height(sockets, outputs, fields, picture=bool(signature and signature["output_node"]))],
        "flags": {},
        "order": list(graph).index(key),
        "mode": 0,
        "inputs": sockets,
        "outputs": outputs,
        "properties": {"Node name for S&R": node["class_type"]},
        "widgets_values": [value for one in fields for value in _field(one, node["inputs"])],
    }
    title = title_of(node)
    return made | ({"title": title} if title and title != node["class_type"] else {})


def _height(sockets: list[Any], outputs: list[Any], fields: list[Input], *, picture: bool) -> int:
    """Return the height that the editor will need, with room for the picture that a node shows."""
    rows = max(len(sockets), len(outputs)) + len(fields) + 1
    texts = sum(1 for one in fields if one.settings.get("multiline"))
    shown = picture or any(one.settings.get("image_upload") for one in fields)
    return rows * ROW + texts * TEXT + shown * PICTURE


def _unknown(name: str) -> Input:
    return Input(name, "*", required=True, options=None, settings={})


def _socket(one: Input) -> dict[str, Any]:
    socket: dict[str, Any] = {"name": one.name, "type": one.type, "link": None}
    return socket | ({"widget": {"name": one.name}} if one.widget else {})


def _outputs(key: str, graph: Graph, signature: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if signature:
        named = zip(signature["output_name"], outputs_of(signature), strict=True)
        return [{"name": name, "type": kind, "links": []} for name, kind in named]
    used = [output for node in graph.values() for _, source, output in links(node) if source == key]
    return [{"name": "*", "type": "*", "links": []} for _ in range(max(used, default=-1) + 1)]


def _field(one: Input, inputs: Mapping[str, Any]) -> list[Any]:
    """Return a field's value, and that of the field which the editor adds beside a seed or a picture."""
    value = inputs.get(one.name)
    if value is None or is_link(value):
        first = one.options[0] if one.options else UNSET[one.type]
        value = one.settings.get("default", first)
    beside = ["fixed"] if one.settings.get("control_after_generate") else []
    return [value, *beside, *(["image"] if one.settings.get("image_upload") else [])]


def _wires(graph: Graph, nodes: Mapping[str, dict[str, Any]], numbers: Mapping[str, int]) -> list[list[Any]]:
    """Link the nodes: ``[link id, source, its output, target, its input, type]``."""
    wires: list[list[Any]] = []
    for key, node in graph.items():
        places = {socket["name"]: place for place, socket in enumerate(nodes[key]["inputs"])}
        for name, source, output in links(node):
            if source not in nodes or name not in places or output >= len(nodes[source]["outputs"]):
                continue
            wire = len(wires) + 1
            given = nodes[source]["outputs"][output]
            given["links"].append(wire)
            nodes[key]["inputs"][places[name]]["link"] = wire
            wires.append([wire, numbers[source], output, numbers[key], places[name], given["type"]])
    return wires


def _columns(graph: Graph) -> list[list[str]]:
    """Sort the nodes into columns, each to the right of all that feed it."""
    column = dict.fromkeys(graph, 0)
    for _ in graph:  # at most as often as there are nodes, so that a circle ends too
        before = dict(column)
        for key, node in graph.items():
            feeding = [column[source] + 1 for _, source, _ in links(node) if source in graph]
            column[key] = min(max([0, *feeding]), len(graph))
        if column == before:
            break
    found: defaultdict[int, list[str]] = defaultdict(list)
    for key in graph:
        found[column[key]].append(key)
    return [found[place] for place in sorted(found)]
