"""Checks a graph against node signatures: those of a live server's ``/object_info``, or ours for when none is up.

Signatures are in the form of ``/object_info``: ``{class: {"input": {"required": {name: [type, settings]}}, …}}``. A
list of values comes as ``[[…], {}]`` or ``["COMBO", {"options": […]}]``; ours has ``null`` for lists of model files.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from plugins.comfyui.markers import is_link, links, title_of

FILE = Path(__file__).with_name("signatures.json")
Signatures = Mapping[str, Any]
Graph = Mapping[str, Mapping[str, Any]]
WIDGETS: Mapping[str, type] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
SOCKETS = ("MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "NOISE", "GUIDER", "SAMPLER", "SIGMAS")
KEPT = ("default", "min", "max", "control_after_generate", "image_upload", "multiline")
FILE_NAMES = re.compile(r"(?!sampler)\w+_name\d?")
SHOWN = 12  # values of a list that a sentence names
WORDS = {"INT": "a whole number", "FLOAT": "a number", "BOOLEAN": "true or false", "STRING": "text"}


@dataclass(frozen=True)
class Input:
    """One input. ``type``: COMBO for a list of values; ``options`` is None where any value may do."""

    name: str
    type: str
    required: bool
    options: tuple[Any, ...] | None
    settings: Mapping[str, Any]

    @property
    def dynamic(self) -> bool:
        """Whether it stands for several inputs, whose names only the server knows."""
        return self.type.startswith("COMFY_")

    @property
    def widget(self) -> bool:
        """Whether the editor shows a field for it rather than only a socket."""
        return (self.type in WIDGETS or self.type == "COMBO") and not self.settings.get("forceInput")


@cache
def offline() -> Signatures:
    """Return our own signatures: the nodes of our workflows, and others that portraits are often made with."""
    loaded: Signatures = json.loads(FILE.read_text(encoding="utf-8"))["nodes"]
    return loaded


def inputs_of(signature: Mapping[str, Any]) -> dict[str, Input]:
    """Return a node's inputs by name, in the editor's order."""
    parts = (("required", True), ("optional", False))
    return {
        name: _input(name, spec, required=required)
        for part, required in parts
        for name, spec in (signature["input"].get(part) or {}).items()
    }


def outputs_of(signature: Mapping[str, Any]) -> list[str]:
    """Return the types of a node's outputs."""
    return [kind if isinstance(kind, str) else "COMBO" for kind in signature["output"]]


def _input(name: str, spec: Any, *, required: bool) -> Input:
    kind = spec[0]
    settings = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    if isinstance(kind, list):
        return Input(name, "COMBO", required, tuple(kind), settings)
    options = settings.get("options") if kind == "COMBO" else None
    return Input(name, kind, required, tuple(options) if options is not None else None, settings)


def compact(signatures: Signatures, classes: list[str]) -> dict[str, Any]:
    """Return what is kept of ``/object_info`` in our file: these classes, without texts and lists of model files."""
    found: dict[str, Any] = {}
    for name in sorted(classes):
        kept: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
        for one in inputs_of(signatures[name]).values():
            settings = {key: one.settings[key] for key in KEPT if key in one.settings}
            if one.type == "COMBO":
                of_files = one.name == "image" or bool(FILE_NAMES.fullmatch(one.name))
                settings["options"] = None if of_files else list(one.options or ())
            kept["required" if one.required else "optional"][one.name] = [one.type, settings]
        found[name] = {
            "input": kept,
            "output": outputs_of(signatures[name]),
            "output_name": list(signatures[name]["output_name"]),
            "output_node": signatures[name]["output_node"],
        }
    return found


def check(graph: Graph, signatures: Signatures) -> list[str]:
    """Say what the server would refuse the graph for, a sentence each; none: it would run it.

    As the server does, it looks at all class names, but at the inputs only of nodes that lead to an output.
    """
    unknown = [key for key, node in graph.items() if node["class_type"] not in signatures]
    wrong = [
        f"{_called(key, graph)}: this ComfyUI has no such node; it may need a custom node or a newer ComfyUI."
        for key in unknown
    ]
    outputs = [key for key, node in graph.items() if signatures.get(node["class_type"], {}).get("output_node")]
    if not outputs and not unknown:
        wrong.append("No node gives a picture out; add a Save Image node.")
    reached, circle = _walk(graph, outputs)
    if circle:
        wrong.append(f"The nodes {', '.join(_called(key, graph) for key in circle)} feed each other in a circle.")
    for key in graph:
        if key in reached and key not in unknown:
            wrong += [f"{_called(key, graph)}: {sentence}" for sentence in _node(graph[key], graph, signatures)]
    return wrong


def _called(key: str, graph: Graph) -> str:
    kind = str(graph[key]["class_type"])
    title = title_of(graph[key])
    return f"{title} ({kind}, node {key})" if title and title != kind else f"{kind} (node {key})"


def _walk(graph: Graph, outputs: list[str]) -> tuple[set[str], list[str]]:
    """Return the nodes that lead to the outputs, and one circle if there is any."""
    done: set[str] = set()
    for start in outputs:
        path = [start] if start not in done else []
        waiting = [_sources(graph, start)]
        while path:
            following = next(waiting[-1], None)
            if following is None:
                done.add(path.pop())
                waiting.pop()
            elif following in path:
                return done | set(path), path[path.index(following) :]
            elif following not in done:
                path.append(following)
                waiting.append(_sources(graph, following))
    return done, []


def _sources(graph: Graph, key: str) -> Iterator[str]:
    return (source for _, source, _ in links(graph[key]) if source in graph)


def _node(node: Mapping[str, Any], graph: Graph, signatures: Signatures) -> Iterator[str]:
    expected = inputs_of(signatures[node["class_type"]])
    for one in expected.values():
        if one.name in node["inputs"]:
            value = node["inputs"][one.name]
            sentence = _linked(one, value, graph, signatures) if is_link(value) else _literal(one, value)
            if sentence:
                yield sentence
        elif one.required and not one.dynamic:
            yield f"the input {one.name} is missing."


def _linked(one: Input, value: list[Any], graph: Graph, signatures: Signatures) -> str:
    source, output = value
    if source not in graph:
        return f"{one.name} is linked to node {source}, which is not there."
    if graph[source]["class_type"] not in signatures:
        return ""  # already said
    given = outputs_of(signatures[graph[source]["class_type"]])
    if not 0 <= output < len(given):
        return f"{one.name} takes output {output} of {_called(source, graph)}, which has {len(given)}."
    if _matches(given[output], one):
        return ""
    return f"{one.name} needs {one.type}, but {_called(source, graph)} gives {given[output]} there."


def _matches(given: str, one: Input) -> bool:
    taken = set(one.type.split(","))
    return one.dynamic or "*" in (given, one.type) or given.startswith("COMFY_") or bool(taken & set(given.split(",")))


def _literal(one: Input, value: Any) -> str:
    if one.type == "COMBO":
        return _choice(one, value)
    if one.type in WIDGETS:
        return _typed(one, value)
    if one.type in SOCKETS:
        return f"{one.name} needs a link to a node that gives {one.type}, not a value."
    return ""


def _choice(one: Input, value: Any) -> str:
    if one.options is None or value in one.options or one.settings.get("image_upload"):
        return ""
    if not one.options:
        return (
            f"{one.name} is {value!r}, but the server has nothing to choose from there; put the file into its folder."
        )
    near = get_close_matches(str(value), [str(option) for option in one.options], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(str(option) for option in one.options[:SHOWN]) + (", …" if len(one.options) > SHOWN else "")
    return f"{one.name} is {value!r}, which is none of {shown}{hint or '.'}"


def _typed(one: Input, value: Any) -> str:
    try:
        made = WIDGETS[one.type](value)
    except (TypeError, ValueError, OverflowError):
        return f"{one.name} is {value!r}, but must be {WORDS[one.type]}."
    if one.type == "STRING" and not isinstance(value, str | int | float):
        return f"{one.name} is {value!r}, but must be text."
    if one.type not in ("INT", "FLOAT"):
        return ""
    least, most = one.settings.get("min", -math.inf), one.settings.get("max", math.inf)
    return "" if least <= made <= most else f"{one.name} is {value}; it must be from {least} to {most}."
