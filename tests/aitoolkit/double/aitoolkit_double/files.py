"""LoRA files, optimizer states and samples, made on the fly with the names, shapes and metadata of real ones."""

from __future__ import annotations

import json
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

WIDTH = 32
VERSIONS = {"sd1": "sd_1.5", "sdxl": "sdxl_1.0", "flux": "flux.1"}  # every other architecture is named by its key
KOHYA = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_"
PICTURE = bytes.fromhex(  # the smallest JPEG there is, of one grey pixel
    "ffd8ffdb004300030202020202030202020303030304060404040404080606050609080a0a090809090a0c0f0c0a0b0e0b09090d110d0e0f"
    "101011100a0c12131210130f101010ffc9000b080001000101011100ffcc000600101005ffda0008010100003f00d2cf20ffd9"
)


class Files:
    """What lies in the output folder of a job."""

    def __init__(self, folder: Path, name: str, process: dict[str, Any], save_seconds: float) -> None:
        self.folder, self.name = folder, name
        self._rank = process["network"]["linear"]
        self._alpha = process["network"]["linear_alpha"]
        self._arch = process["model"]["arch"]
        self._save_seconds = save_seconds
        folder.mkdir(parents=True, exist_ok=True)

    def newest(self) -> tuple[int, Path] | None:
        """Return the checkpoint that a start goes on from, by age, and its step."""
        found = sorted(self.folder.glob(f"{self.name}*.safetensors"), key=lambda path: path.stat().st_ctime_ns)
        if not found:
            return None
        with found[-1].open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return int(json.loads(header["__metadata__"]["training_info"])["step"]), found[-1]

    def state(self) -> int:
        """Return the steps that the optimizer's state knows of, -1 where there is none."""
        path = self.folder / "optimizer.pt"
        if not path.exists():
            return -1
        with zipfile.ZipFile(path) as archive:
            return int(archive.read("archive/data.pkl"))

    def save(self, step: int | None, last: int, done: int, spoiled: str = "", arch: str = "") -> Path:
        """Write a checkpoint, or the final file; not at once, as the original."""
        number = "" if step is None else f"_{step:09d}"
        path = self.folder / f"{self.name}{number}.safetensors"
        if spoiled == "absent":
            return path
        content = self._content(last, done, spoiled, arch or VERSIONS.get(self._arch, self._arch))
        half = len(content) // 2
        with path.open("wb") as file:
            file.write(content[:half])
            file.flush()
            time.sleep(self._save_seconds)
            file.write(b"" if spoiled == "cut" else content[half:])
        return path

    def save_optimizer(self, done: int) -> Path:
        """Write its state: how many steps it has seen."""
        path = self.folder / "optimizer.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", str(done))
        return path

    def sample(self, step: int, index: int, kind: str) -> None:
        """Write a sample at once."""
        folder = self.folder / "samples"
        (folder / ".tmp").mkdir(parents=True, exist_ok=True)
        draft = folder / ".tmp" / f"{step}-{index}"
        draft.write_bytes(PICTURE)
        draft.replace(folder / f"{time.time_ns() // 1_000_000}__{step:09d}_{index}.{kind}")

    def _content(self, last: int, done: int, spoiled: str, version: str) -> bytes:
        tensors = {}
        for number, (module, down, up, scale) in enumerate(self._modules()):
            rank = self._rank + 1 if spoiled == "rank" and not number else self._rank
            tensors[module + down] = ((rank, WIDTH), [0.01] * (rank * WIDTH))
            if spoiled != "half" or number:
                tensors[module + up] = ((WIDTH, rank), [self._value(done, spoiled)] * (rank * WIDTH))
            if scale:
                tensors[module + ".alpha"] = ((), [float(self._alpha)])
        if spoiled == "stranger":
            tensors["first_stage_model.weight"] = ((1,), [1.0])
        step = last - 1 if spoiled == "step" else last
        return _packed(tensors, self._metadata(step, version))

    def _value(self, done: int, spoiled: str) -> float:
        return {"zero": 0.0, "nan": float("nan")}.get(spoiled, done / 1000)

    def _modules(self) -> list[tuple[str, str, str, bool]]:
        if self._arch in {"sd1", "sdxl"}:
            return [(KOHYA + part, ".lora_down.weight", ".lora_up.weight", True) for part in "qkv"]
        if self._arch == "flux":
            starts = [f"transformer.single_transformer_blocks.{block}.attn.to_" for block in (0, 1)]
        else:
            starts = [f"diffusion_model.layers.{layer}.attention.to_" for layer in (0, 1)]
        return [(start + part, ".lora_A.weight", ".lora_B.weight", False) for start in starts for part in "qkv"]

    def _metadata(self, step: int, version: str) -> dict[str, str]:
        return {
            "format": "pt",
            "name": self.name,
            "version": "1.0",
            "ss_output_name": self.name,
            "ss_base_model_version": version,
            "training_info": json.dumps({"step": step, "epoch": 0}),
            "software": json.dumps({"name": "ai-toolkit", "repo": "", "version": "0.12.26"}),
        }


def _packed(tensors: dict[str, tuple[tuple[int, ...], list[float]]], metadata: dict[str, str]) -> bytes:
    header: dict[str, Any] = {"__metadata__": metadata}
    content = b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}e", *values)
        header[name] = {
            "dtype": "F16",
            "shape": list(shape),
            "data_offsets": [len(content), len(content) + len(packed)],
        }
        content += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content
