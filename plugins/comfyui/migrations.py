"""Older workflow files, and ComfyUI's own API export, made into files of the present schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isengard.errors import InvalidInput
from plugins.comfyui.markers import FIELDS, MARKER, in_title, places, title_of, titled_inputs

CURRENT = 1
STATED = ("title", "task", "families", "base_models", "negative_prompt", "defaults", "min_comfyui", "license_note")
DEFAULTS = {
    "STEPS": "steps",
    "GUIDANCE": "guidance_scale",
    "SAMPLER": "sampler",
    "SCHEDULER": "scheduler",
    "DENOISE": "denoise",
    "UPSCALE_BY": "upscale_by",
}
SCALERS = ("ImageScaleBy", "LatentUpscale", "LatentUpscaleBy", "ImageUpscaleWithModel")
FAMILY_OF_ENCODER = {
    "flux": "flux",
    "flux2": "flux2",
    "lumina2": "z-image",
    "qwen_image": "qwen-image",
    "sdxl": "sdxl",
}
SDXL_PIXELS = 768  # from this width on: SD 1.5 draws at 512, SDXL at 1024
Nodes = list[dict[str, Any]]


def migrated(raw: Any, name: str) -> dict[str, Any]:
    """Return the file's content in the present schema; ``name`` becomes the title of an export that states none.

    Raise InvalidInput for what no version of the schema is.
    """
    if not isinstance(raw, dict):
        raise InvalidInput(f"{name} is no workflow.", "In ComfyUI, choose Workflow > Export (API).")
    if isinstance(raw.get("links"), list):
        raise InvalidInput(
            f"{name} is in the format of ComfyUI's editor, which the server does not take.",
            "In ComfyUI, choose Workflow > Export (API), and use that file.",
        )
    version = raw.get("schema_version", 0)
    if not isinstance(version, int) or not 0 <= version <= CURRENT:
        raise InvalidInput(f"{name} has schema_version {version!r}; up to {CURRENT} is known.", "Update Isengard.")
    content: dict[str, Any] = raw
    for step in range(version, CURRENT):
        content = MIGRATIONS[step](content, name)
    return content


def _from_export(raw: dict[str, Any], name: str) -> dict[str, Any]:
    """Version 0, ``{"3": {"class_type": …, "inputs": …}}``: what ComfyUI's "Export (API)" writes."""
    raw = raw["prompt"] if isinstance(raw.get("prompt"), dict) and "class_type" not in raw["prompt"] else raw
    stated = raw.get("isengard", {})
    nodes = [_node(key, value) for key, value in raw.items() if key != "isengard"]
    if not nodes or None in nodes or not isinstance(stated, dict):
        raise InvalidInput(
            f"{name} is not in ComfyUI's API format.", "In ComfyUI, choose Workflow > Export (API), and use that file."
        )
    real = _seeded([node for node in nodes if node])
    guessed = {
        "title": name.removesuffix(".json").replace("-", " ").replace("_", " ").capitalize(),
        "task": _task(real),
        "families": _families(real),
        "negative_prompt": any(place.marker == "NEGATIVE" for place in places(real)),
        "defaults": _defaults(real),
    }
    kept = {key: stated[key] for key in STATED if key in stated}
    return {"schema_version": 1, "source": "API export of ComfyUI", **guessed, **kept, "nodes": real}


MIGRATIONS: Mapping[int, Callable[[dict[str, Any], str], dict[str, Any]]] = {0: _from_export}


def _node(key: str, value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or not isinstance(value.get("inputs"), dict) or "class_type" not in value:
        return None
    title = title_of(value)
    return {
        "id": str(key),
        "class_type": value["class_type"],
        "inputs": value["inputs"],
        **({"_meta": {"title": title}} if title else {}),
    }


def _seeded(nodes: Nodes) -> Nodes:
    """Mark the seeds of a workflow that marks none: with a fixed one all pictures of a job would be the same."""
    if any(place.marker == "SEED" for place in places(nodes)):
        return nodes
    marked = dict.fromkeys(("seed", "noise_seed"), "SEED_INJECT")
    return [
        node | {"inputs": {k: marked.get(k, v) if type(v) is int else v for k, v in node["inputs"].items()}}
        for node in nodes
    ]


def _task(nodes: Nodes) -> str:
    kinds = {node["class_type"] for node in nodes}
    if "LoadImage" not in kinds:
        return "txt2img"
    return "upscale" if kinds & set(SCALERS) else "img2img"


def _families(nodes: Nodes) -> list[str]:
    for node in nodes:
        if node["class_type"] in ("CLIPLoader", "DualCLIPLoader"):
            family = FAMILY_OF_ENCODER.get(str(node["inputs"].get("type")))
            if family:
                return [family]
    kinds = {node["class_type"] for node in nodes}
    if "FluxGuidance" in kinds:
        return ["flux"]
    return _family_of_checkpoint(nodes) if "CheckpointLoaderSimple" in kinds else []


def _family_of_checkpoint(nodes: Nodes) -> list[str]:
    names = " ".join(str(node["inputs"].get("ckpt_name", "")) for node in nodes).lower()
    widths = [node["inputs"].get("width") for node in nodes if node["class_type"] == "EmptyLatentImage"]
    numbers = [width for width in widths if isinstance(width, int)]
    if "xl" in names or any(node["class_type"] == "CLIPTextEncodeSDXL" for node in nodes):
        return ["sdxl"]
    if numbers:
        return ["sdxl" if max(numbers) >= SDXL_PIXELS else "sd15"]
    return ["sd15"] if any(word in names for word in ("sd15", "v1-5", "1.5")) else []


def _defaults(nodes: Nodes) -> dict[str, Any]:
    """Take the values that stand in the inputs which titles mark."""
    found: dict[str, Any] = {}
    for node in nodes:
        for marker in in_title(node):
            for name in titled_inputs(node, marker) if marker in DEFAULTS else ():
                value = node["inputs"][name]
                if isinstance(value, int | float | str) and not MARKER.search(str(value)):
                    found.setdefault(DEFAULTS[marker], value)
    return found


assert set(DEFAULTS) <= set(FIELDS)
