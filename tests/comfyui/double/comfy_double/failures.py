"""Failures inside a node, in the words the real server used for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

OUT_OF_GPU_MEMORY = (
    "This error means you ran out of memory on your GPU.\n\n"
    "TIPS: If the workflow worked before you might have accidentally set the batch_size to a large number."
)
KINDS = {
    "corrupt_lora": (
        "safetensors._safetensors_rust.SafetensorError",
        "Error while deserializing header: header too large\n",
    ),
    "cpu_oom": (
        "RuntimeError",
        (
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 274877906944 bytes. Error code 12 (Cannot allocate memory)\n"
        ),
    ),
    "cuda_oom": ("torch.OutOfMemoryError", f"Allocation on device 0 would exceed allowed memory.\n{OUT_OF_GPU_MEMORY}"),
    "old_cuda_oom": ("torch.cuda.OutOfMemoryError", f"Allocation on device\n{OUT_OF_GPU_MEMORY}"),
    "wrong_vae": (
        "RuntimeError",
        (
            "Given groups=1, weight of size [64, 16, 3, 3], expected input[1, 4, 8, 8] to have 16 channels, "
            "but got 4 channels instead\n"
        ),
    ),
    "disk_full": ("OSError", "[Errno 28] No space left on device\n"),
}


class NodeFailed(Exception):
    """A node raised; ``kind`` and ``message`` are what the server would report."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message

    @classmethod
    def named(cls, name: str) -> NodeFailed:
        return cls(*KINDS[name])


class Interrupted(Exception):
    """Somebody asked for the running prompt to stop."""


def lora_keys(path: Path) -> list[str]:
    """Return the tensor names of a file, or fail as the server fails on a file it cannot read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as weights:
            return list(weights.keys())
    except SafetensorError as error:
        raise NodeFailed("safetensors._safetensors_rust.SafetensorError", f"{error}\n") from error


def unmatched(keys: Iterable[str], family: str) -> list[str]:
    """Return the keys that this family's key map does not know; families are ``unet`` and ``dit``."""
    known = {
        "unet": ("lora_unet_", "lora_te"),
        "dit": ("transformer.", "diffusion_model.", "lora_transformer_", "lora_te"),
    }
    return [key for key in keys if not key.startswith(known[family])]


def details(
    failure: NodeFailed, node: dict[str, Any], node_id: str, executed: list[str], everything: list[str]
) -> dict:
    """Return the body of an execution_error."""
    return {
        "node_id": node_id,
        "node_type": node["class_type"],
        "executed": executed,
        "exception_message": failure.message,
        "exception_type": failure.kind,
        "traceback": ['  File "/srv/ComfyUI/execution.py", line 545, in execute\n    ...\n'],
        "current_inputs": {name: [value] for name, value in node["inputs"].items() if not isinstance(value, list)},
        "current_outputs": everything,
    }
