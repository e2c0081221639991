"""The nodes that the double knows, out of nodes.json: what they take and give, as /object_info of 0.33.0 says it.

In the file ``#loras`` stands for the files of that folder now, ``@sampler_name`` for a list at the top of the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comfy_double.folders import Folders

_FILE = json.loads(Path(__file__).with_name("nodes.json").read_text())
NODES: dict[str, dict[str, Any]] = _FILE["nodes"]
_LISTS: dict[str, list[str]] = _FILE["lists"]


def spec(written: list[Any], folders: Folders) -> list[Any]:
    """Return an input's description with its choices filled in."""
    kind, *options = written
    if kind == "COMBO":
        return ["COMBO", {**options[0], "options": _choices(options[0]["options"], folders)}]
    return [_choices(kind, folders), *options] if isinstance(kind, list) or kind[0] in "#@" else list(written)


def choices(described: list[Any]) -> list[Any] | None:
    """Return what may be chosen for an input of ``spec``; None for one that is no choice."""
    if isinstance(described[0], list):
        return described[0]
    return described[1]["options"] if described[0] == "COMBO" else None


def _choices(written: list[str] | str, folders: Folders) -> list[str]:
    if isinstance(written, list):
        return written
    return folders.files(written[1:]) if written[0] == "#" else _LISTS[written[1:]]


def object_info(name: str, folders: Folders) -> dict[str, Any]:
    """Return one entry of /object_info."""
    node = NODES[name]
    inputs = {
        group: {field: spec(written, folders) for field, written in node[group].items()}
        for group in ("required", "optional")
        if group in node
    }
    hidden = {"hidden": node["hidden"]} if "hidden" in node else {}
    return {
        "input": {**inputs, **hidden},
        "input_order": {group: list(fields) for group, fields in {**inputs, **hidden}.items()},
        "is_input_list": False,
        "output": node["output"],
        "output_is_list": [False] * len(node["output"]),
        "output_name": node.get("output_name", node["output"]),
        "name": name,
        "display_name": name,
        "description": "",
        "python_module": node["module"],
        "category": node["category"],
        "output_node": node.get("output_node", False),
        "has_intermediate_output": False,
        "search_aliases": [],
    }
