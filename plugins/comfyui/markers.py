"""Injection points: the words of a workflow that stand for a request's values, and where they stand.

A marker is the value of an input (``"text": "PROMPT_INJECT"``), a part of it (``"PROMPT_INJECT, film grain"``), or a
word of the node's title (``SEED_INJECT STEPS_INJECT``), because ComfyUI's editor takes no words in a number field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MARKER = re.compile(r"\b([A-Z][A-Z0-9_]*)_INJECT\b")
FIELDS: Mapping[str, tuple[str, ...]] = {  # the inputs that a marker in the title stands for, where the node has them
    "PROMPT": ("text", "prompt", "clip_l", "t5xxl", "text_l", "text_g", "value"),
    "NEGATIVE": ("text", "prompt", "negative_prompt", "clip_l", "t5xxl", "text_l", "text_g", "value"),
    "LORA": ("lora_name",),
    "SEED": ("seed", "noise_seed", "value"),
    "STEPS": ("steps", "value"),
    "GUIDANCE": ("cfg", "guidance", "value"),
    "SAMPLER": ("sampler_name",),
    "SCHEDULER": ("scheduler",),
    "DENOISE": ("denoise", "value"),
    "WIDTH": ("width", "value"),
    "HEIGHT": ("height", "value"),
    "UPSCALE_BY": ("scale_by", "upscale_by", "value"),
    "IMAGE": ("image",),
    "IMAGE_2": ("image",),
    "IMAGE_3": ("image",),
    "FILENAME_PREFIX": ("filename_prefix",),
    "CHECKPOINT": ("ckpt_name",),
    "DIFFUSION_MODEL": ("unet_name",),
    "TEXT_ENCODER_1": ("clip_name", "clip_name1"),
    "TEXT_ENCODER_2": ("clip_name2",),
    "VAE": ("vae_name",),
}
FILES = ("CHECKPOINT", "DIFFUSION_MODEL", "TEXT_ENCODER_1", "TEXT_ENCODER_2", "VAE")


@dataclass(frozen=True)
class Place:
    """Where a marker stands: node id and input. ``whole``: it is all of the input's value."""

    marker: str
    node: str
    input: str
    whole: bool = True


def title_of(node: Mapping[str, Any]) -> str:
    """Return the title that a person gave the node, or ''."""
    meta = node.get("_meta")
    return str(meta.get("title") or "") if isinstance(meta, Mapping) else ""


def in_title(node: Mapping[str, Any]) -> list[str]:
    """Return the names of the markers in a node's title."""
    return MARKER.findall(title_of(node))


def titled_inputs(node: Mapping[str, Any], marker: str) -> list[str]:
    """Return the inputs of the node that a marker in its title stands for."""
    return [name for name in FIELDS.get(marker, ()) if name in node["inputs"]]


def places(nodes: Iterable[Mapping[str, Any]]) -> Iterator[Place]:
    """Return where all markers stand, the unknown ones too; a title's marker without its input stands nowhere."""
    for node in nodes:
        for marker in in_title(node):
            yield from (Place(marker, node["id"], name) for name in titled_inputs(node, marker))
        for name, value in node["inputs"].items():
            if isinstance(value, str):
                yield from (Place(m, node["id"], name, whole=value == f"{m}_INJECT") for m in MARKER.findall(value))


def links(node: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Return the node's linked inputs: name, id of the node that feeds it, and which of its outputs."""
    for name, value in node["inputs"].items():
        if is_link(value):
            yield name, str(value[0]), value[1]


def is_link(value: Any) -> bool:
    """Tell whether an input's value is a link to another node's output."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def problems(nodes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Say what is wrong with the markers of a workflow, in sentences for people."""
    known = {node["id"]: node for node in nodes}
    found = list(places(known.values()))
    for marker in sorted({place.marker for place in found} | {m for n in known.values() for m in in_title(n)}):
        if marker not in FIELDS:
            yield f"{marker}_INJECT is no injection point; there are {', '.join(f'{name}_INJECT' for name in FIELDS)}"
    if not any(place.marker == "PROMPT" for place in found):
        yield "PROMPT_INJECT stands nowhere, so a prompt would have no effect"
    for key, node in known.items():
        for marker in in_title(node):
            if marker in FIELDS and not titled_inputs(node, marker):
                yield f"node {key} is titled {marker}_INJECT but has no input {' or '.join(FIELDS[marker])}"
    yield from _lora_problems(known, {place.node for place in found if place.marker == "LORA"})


def _lora_problems(known: Mapping[str, Mapping[str, Any]], marked: set[str]) -> Iterator[str]:
    for key in sorted(marked):
        linked = {name for name, _, _ in links(known[key])}
        if "model" not in linked or "strength_model" not in known[key]["inputs"]:
            yield f"node {key} has LORA_INJECT but is not LoraLoader or LoraLoaderModelOnly with a model linked to it"
        elif marked & set(_upstream(known, key)):
            yield f"node {key} follows another LORA_INJECT: every LoRA would count twice; one such node is enough"


def _upstream(known: Mapping[str, Mapping[str, Any]], key: str) -> Iterator[str]:
    seen = {key}
    waiting = [key]
    while waiting:
        for _, source, _ in links(known[waiting.pop()]):
            if source in known and source not in seen:
                seen.add(source)
                waiting.append(source)
                yield source
