"""Writes results into the output folder under the server's numbered names, spoiled when the plan says so."""

from __future__ import annotations

import argparse
from pathlib import PurePosixPath
from typing import Any

from comfy_double import pictures
from comfy_double.folders import Folders
from comfy_double.graph import Result

SPOILED = ("black", "constant", "nan")


class Saver:
    """``SaveImage`` saves into output, ``PreviewImage`` into temp."""

    def __init__(self, folders: Folders, flags: argparse.Namespace) -> None:
        self._folders = folders
        self._with_metadata = not flags.disable_metadata

    def save(
        self, node: dict[str, Any], made: Result, graph: dict[str, Any], extra: dict[str, Any], special: dict[str, Any]
    ) -> dict[str, Any]:
        """Write one file for each picture of the batch and return the node's output."""
        kind = "output" if node["class_type"] == "SaveImage" else "temp"
        prefix = PurePosixPath(node["inputs"].get("filename_prefix", "ComfyUI_temp"))
        folder = self._folders.of(kind) / prefix.parent  # type: ignore[operator]
        folder.mkdir(parents=True, exist_ok=True)
        chunks = {"prompt": graph, **extra.get("extra_pnginfo", {})} if self._with_metadata else {}
        spoiled = next((action for action in SPOILED if action in special), "")
        images = []
        for index in range(made.batch):
            size = (made.size[0] // 2, made.size[1] // 2) if "half_size" in special else made.size
            picture = pictures.spoiled(spoiled, size) if spoiled else pictures.paint(f"{made.ink}/{index}", size)
            encoded = pictures.png(picture, chunks)
            name = f"{prefix.name}_{self._next(folder, prefix.name):05}_.png"
            if "truncated" in special:
                encoded = encoded[: len(encoded) // 2]
            if "missing" not in special:
                (folder / name).write_bytes(encoded)
            subfolder = "" if prefix.parent == PurePosixPath() else str(prefix.parent)
            images.append({"filename": name, "subfolder": subfolder, "type": kind})
        return {"images": images}

    @staticmethod
    def _next(folder: Any, stem: str) -> int:
        taken = [path.name.removeprefix(f"{stem}_").split("_")[0] for path in folder.glob(f"{stem}_*.png")]
        return max((int(number) for number in taken if number.isdigit()), default=0) + 1
