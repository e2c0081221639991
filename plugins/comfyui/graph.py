"""A workflow and a request's values made into the graph that ComfyUI runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from isengard.errors import InvalidInput
from plugins.comfyui.markers import FILES, MARKER, in_title, is_link, links, places, title_of, titled_inputs
from plugins.comfyui.workflows import Workflow

Graph = dict[str, dict[str, Any]]
IMAGES = ("IMAGE", "IMAGE_2", "IMAGE_3")
ADD_FILES = "Name the file in the model's row of sota/registry.yml, under comfyui."


@dataclass(frozen=True, kw_only=True)
class Values:
    """What one picture is made of. Sizes in pixels; ``loras``: (file name, strength) each.

    ``images``: names of uploaded pictures; where a workflow has places for more, the first are there again.
    ``files``: model files by injection point: ``{"VAE": "ae.safetensors"}``.
    ``filename_prefix`` must be the picture's own: with that of an earlier one ComfyUI finds the result in its cache and
    writes no file.
    """

    prompt: str
    filename_prefix: str
    seed: int
    negative_prompt: str = ""
    width: int = 1024
    height: int = 1024
    steps: int = 20
    guidance_scale: float = 1.0
    sampler: str = "euler"
    scheduler: str = "normal"
    denoise: float = 1.0
    upscale_by: float = 1.0
    loras: tuple[tuple[str, float], ...] = ()
    images: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def by_marker(self) -> dict[str, str | int | float]:
        """Return the values by injection point, each in the type that ComfyUI expects; without those not given."""
        found: dict[str, str | int | float] = {
            "PROMPT": self.prompt,
            "NEGATIVE": self.negative_prompt,
            "SEED": int(self.seed),
            "STEPS": int(self.steps),
            "GUIDANCE": float(self.guidance_scale),
            "SAMPLER": self.sampler,
            "SCHEDULER": self.scheduler,
            "DENOISE": float(self.denoise),
            "WIDTH": int(self.width),
            "HEIGHT": int(self.height),
            "UPSCALE_BY": float(self.upscale_by),
            "FILENAME_PREFIX": self.filename_prefix,
            **{name: self.files[name] for name in FILES if name in self.files},
        }
        if not self.images:
            return found
        return {**found, **{name: self.images[n % len(self.images)] for n, name in enumerate(IMAGES)}}


def build(workflow: Workflow, values: Values) -> Graph:
    """Return the graph for ``POST /prompt``: every marker filled, the LoRA node once for each LoRA.

    The workflow stays as it is. Raise InvalidInput naming a marker that has no value, or when there is no place for a
    LoRA.
    """
    lora_nodes = dict.fromkeys(place.node for place in places(workflow.nodes) if place.marker == "LORA")
    if values.loras and not lora_nodes:
        raise InvalidInput(
            f"The workflow '{workflow.title}' has no place for a LoRA.", "Choose another workflow, or no character."
        )
    given = values.by_marker()
    graph = {node["id"]: _filled(node, given, workflow.title) for node in deepcopy(workflow.nodes)}
    for key in lora_nodes:
        graph = _with_loras(graph, key, values.loras)
    for node in graph.values():
        if node["class_type"] == "SaveImage":
            node["inputs"]["filename_prefix"] = values.filename_prefix
    return graph


def _filled(node: Mapping[str, Any], given: Mapping[str, Any], title: str) -> dict[str, Any]:
    def value_of(marker: str) -> Any:
        if marker not in given:
            raise _missing(marker, title)
        return given[marker]

    inputs = {name: _replaced(value, value_of) for name, value in node["inputs"].items()}
    for marker in in_title(node):
        inputs |= {name: value_of(marker) for name in titled_inputs(node, marker) if marker != "LORA"}
    words = " ".join(MARKER.sub("", title_of(node)).split())
    return {"class_type": node["class_type"], "inputs": inputs, "_meta": {"title": words or node["class_type"]}}


def _replaced(value: Any, value_of: Callable[[str], Any]) -> Any:
    """Fill the markers of one input in one pass, so that a prompt may itself speak of PROMPT_INJECT."""
    if not isinstance(value, str) or value == "LORA_INJECT":
        return value
    whole = MARKER.fullmatch(value)
    return value_of(whole[1]) if whole else MARKER.sub(lambda found: str(value_of(found[1])), value)


def _with_loras(graph: Graph, key: str, loras: tuple[tuple[str, float], ...]) -> Graph:
    """Put a chain of LoRA nodes, or none, in the place of one; who took from it takes from the chain's end."""
    node = graph[key]
    ends = [node["inputs"].get("model"), node["inputs"].get("clip")]
    chain: Graph = {}
    for name, strength in loras:
        at = key if not chain else _free_id(graph, chain)
        inputs = node["inputs"] | {"model": ends[0], "lora_name": name, "strength_model": float(strength)}
        if "clip" in inputs:
            inputs |= {"clip": ends[1], "strength_clip": float(strength)}
        chain[at] = {**node, "inputs": inputs}
        ends = [[at, 0], [at, 1]]
    rewired = {other: _rewired(graph[other], key, ends) for other in graph if other != key}
    before, after = _around(list(graph), key)
    return {**{k: rewired[k] for k in before}, **chain, **{k: rewired[k] for k in after}}


def _rewired(node: dict[str, Any], key: str, ends: list[Any]) -> dict[str, Any]:
    inputs = dict(node["inputs"])
    for name, source, output in links({"inputs": inputs}):
        if source == key:
            if output >= len(ends) or not is_link(ends[output]):
                raise InvalidInput(
                    f"The input {name} takes from the LoRA node {key} what that node is not given.",
                    "Link model and clip through the LoRA node, and export the workflow again.",
                )
            inputs[name] = list(ends[output])
    return {**node, "inputs": inputs}


def _around(keys: list[str], key: str) -> tuple[list[str], list[str]]:
    place = keys.index(key)
    return keys[:place], keys[place + 1 :]


def _free_id(*graphs: Graph) -> str:
    """Return a number that no node has: ComfyUI's editor wants numbers."""
    taken = [int(key) for graph in graphs for key in graph if key.isdecimal()]
    return str(max(taken, default=0) + 1)


def _missing(marker: str, title: str) -> InvalidInput:
    if marker == "IMAGE":
        return InvalidInput(f"The workflow '{title}' starts from a picture (IMAGE_INJECT).", "Choose a start picture.")
    if marker in FILES:
        return InvalidInput(f"The workflow '{title}' needs a model file for {marker}_INJECT.", ADD_FILES)
    return InvalidInput(f"The workflow '{title}' asks for {marker}_INJECT, which is unknown.", "Correct the workflow.")
