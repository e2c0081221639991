"""What a graph would make: the order of its nodes, and for each the ink and size of what comes out of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from comfy_double import nodes
from comfy_double.failures import lora_keys, unmatched
from comfy_double.folders import Folders

SAMPLERS = {"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"}
SIZED_BY = ("latent_image", "samples", "pixels", "images", "image")  # the input whose size a node passes on


@dataclass(frozen=True)
class Result:
    """``key`` decides whether a node is run again, ``ink`` what its picture looks like."""

    key: str
    ink: str
    size: tuple[int, int] = (512, 512)
    batch: int = 1
    steps: int = 1
    family: str = "unet"
    said: tuple[str, ...] = ()  # warnings that running the node writes into the log


def order(graph: dict[str, Any], outputs: list[str], cached: set[str]) -> list[str]:
    """Return the nodes to run in the order the server was seen to run them.

    It walks back from the outputs, the last input first, and of what is ready it always runs what it met first.
    """
    met: list[str] = []
    stack = list(reversed(outputs))
    while stack:
        name = stack.pop()
        if name not in met and name not in cached:
            met.append(name)
            stack.extend(source for source, _slot in links(graph[name]).values())
    ordered: list[str] = []
    while len(ordered) < len(met):
        ready = [name for name in met if name not in ordered and _ready(graph[name], met, ordered)]
        ordered.append(next((name for name in ready if is_output(graph[name])), ready[0]))
    return ordered


def is_output(node: dict[str, Any]) -> bool:
    return bool(nodes.NODES[node["class_type"]].get("output_node"))


def links(node: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: value for name, value in node["inputs"].items() if isinstance(value, list)}


def _ready(node: dict[str, Any], met: list[str], ordered: list[str]) -> bool:
    return all(source in ordered or source not in met for source, _slot in links(node).values())


def needed(graph: dict[str, Any], outputs: list[str]) -> list[str]:
    """Return every node that an output needs, each after what it needs."""
    return order(graph, outputs, set())


def result(node: dict[str, Any], before: dict[str, Result], folders: Folders) -> Result:
    """Work out what a node gives; ``before`` holds the results of its links by input name."""
    kind = node["class_type"]
    literals = {name: value for name, value in node["inputs"].items() if not isinstance(value, list)}
    picture = folders.input / str(literals.get("image", "")) if kind.startswith("LoadImage") else None
    written = [kind, literals, hashlib.sha256(picture.read_bytes()).hexdigest() if picture else ""]
    sized = next((before[name] for name in SIZED_BY if name in before), None)
    return Result(
        key=_digest(written, {name: value.key for name, value in before.items()}),
        ink=_digest(written, {name: value.ink for name, value in before.items()}),
        size=_size(kind, literals, before, picture),
        batch=int(literals.get("batch_size", sized.batch if sized else 1)),
        steps=_steps(literals, before),
        family="dit" if kind == "UNETLoader" else before["model"].family if "model" in before else "unet",
    )


def after_lora(made: Result, node: dict[str, Any], before: dict[str, Result], folders: Folders) -> Result:
    """Read the LoRA: what fits changes the ink, what does not is only written into the log."""
    path = folders.find("loras", node["inputs"]["lora_name"])
    assert path is not None  # validated before it was queued
    keys = lora_keys(path)
    lost = unmatched(keys, made.family)
    said = tuple(f"lora key not loaded: {key}" for key in lost)
    strengths = [node["inputs"].get(name, 0.0) for name in ("strength_model", "strength_clip")]
    if len(lost) == len(keys) or not any(strengths):
        return replace(made, ink=before["model"].ink, said=said)
    return replace(made, said=said)


def _steps(literals: dict[str, Any], before: dict[str, Result]) -> int:
    if "sigmas" in before:
        return max(1, round(before["sigmas"].steps * literals.get("denoise", 1.0)))
    return int(literals.get("steps", 1))


def _size(kind: str, literals: dict[str, Any], before: dict[str, Result], picture: Path | None) -> tuple[int, int]:
    if picture is not None:
        with Image.open(picture) as opened:
            return opened.size
    if kind.startswith("Empty") or kind in ("ImageScale", "LatentUpscale"):
        links = {name: before[name].size[place] for place, name in enumerate(("width", "height")) if name in before}
        return tuple(int((literals | links)[name]) for name in ("width", "height"))  # type: ignore[return-value]
    width, height = next((before[name].size for name in SIZED_BY if name in before), (512, 512))
    scale = 4.0 if kind == "ImageUpscaleWithModel" else float(literals.get("scale_by", 1.0))
    return int(width * scale), int(height * scale)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
