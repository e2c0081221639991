"""Proves a LoRA file before anybody calls it done: whole, in pairs, of the rank asked for, numbers, not all zero."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isengard.errors import BackendOutput, InvalidInput
from isengard.plugins.weights import Tensor, Weights, read_weights

DOWN = (".lora_down.weight", ".lora_A.weight")
UP = (".lora_up.weight", ".lora_B.weight")
PAIRS = {frozenset(pair) for pair in zip(DOWN, UP, strict=True)}
ALPHA = ".alpha"
LAYOUTS = {  # element type to read the bits as, exponent bits that are all set in NaN and infinity, sign bit
    "F16": ("<u2", 0x7C00, 0x8000),
    "BF16": ("<u2", 0x7F80, 0x8000),
    "F32": ("<u4", 0x7F800000, 0x80000000),
}
AGAIN = "Retry the training; report it if it happens again."
DIVERGED = "Lower the learning rate, or choose another optimizer, then start a new training."


@dataclass(frozen=True)
class Expected:
    """What the file must say."""

    rank: int
    step: int | None = None  # None: any
    alpha: float | None = None  # None: the file keeps none
    base_version: str = ""


def step_of(weights: Weights) -> int | None:
    """Return the step that the trainer wrote into the file, None where there is none."""
    try:
        return int(json.loads(weights.metadata.get("training_info", ""))["step"])
    except (ValueError, KeyError, TypeError):
        return None


def read_whole(path: Path) -> Weights | None:
    """Return the header of a file that is all there, None for any other."""
    try:
        return read_weights(path)
    except InvalidInput:
        return None


def prove(path: Path, expected: Expected) -> Weights:
    """Return the header, or raise BackendOutput saying what is wrong with the file."""
    try:
        weights = read_weights(path)
    except InvalidInput as error:
        raise wrong(error.message.rstrip(".")) from error
    modules = _modules(weights.tensors)
    _check_pairs(modules)
    _check_rank(modules, expected.rank)
    _check_told(weights, expected)
    _check_values(path, weights.tensors, expected)
    return weights


def check_own(path: Path, base_version: str, rank: int) -> None:
    """Raise InvalidInput unless a file is of AI-Toolkit's own making, for this architecture and of this rank."""
    weights = read_weights(path)
    if weights.metadata.get("ss_base_model_version") != base_version or step_of(weights) is None:
        raise InvalidInput(
            "AI-Toolkit goes on from its own LoRA files alone, of the same base model.", "Start from nothing."
        )
    try:
        modules = _modules(weights.tensors)
        _check_pairs(modules)
        _check_rank(modules, rank)
    except BackendOutput as error:
        raise InvalidInput(f"{error.message}", "Leave the rank empty, or start from nothing.") from error


def wrong(why: str) -> BackendOutput:
    """Make the error for a file that cannot be used."""
    return BackendOutput(f"The trained file is not usable: {why}.", AGAIN)


def _modules(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        end = next((end for end in (*DOWN, *UP, ALPHA) if name.endswith(end)), None)
        if end is None:
            raise wrong(f"'{name}' is no part of a LoRA")
        found[name.removesuffix(end)][end] = tensor
    return found


def _check_pairs(modules: Mapping[str, Mapping[str, Tensor]]) -> None:
    if not modules:
        raise wrong("there is nothing in it")
    lonely = [name for name, parts in modules.items() if frozenset(parts) - {ALPHA} not in PAIRS]
    if lonely:
        raise wrong(f"{len(lonely)} of {len(modules)} layers lack a half, such as {lonely[0]}")


def _check_rank(modules: Mapping[str, Mapping[str, Tensor]], rank: int) -> None:
    for name, parts in modules.items():
        down, up = (parts[end].shape for end in sorted(set(parts) - {ALPHA}, key=UP.__contains__))
        if not (down and len(up) > 1 and down[0] == up[1]):
            raise wrong(f"the halves of {name} do not belong together")
        if down[0] != rank:
            raise wrong(f"{name} has rank {down[0]}, not {rank}")


def _check_told(weights: Weights, expected: Expected) -> None:
    step = step_of(weights)
    if expected.step is not None and step != expected.step:
        raise wrong(f"it says step {step}, not {expected.step}")
    version = weights.metadata.get("ss_base_model_version", "")
    if expected.base_version and version != expected.base_version:
        raise wrong(f"it was trained as '{version or 'nothing'}', not as '{expected.base_version}'")


def _check_values(path: Path, tensors: Mapping[str, Tensor], expected: Expected) -> None:
    """Read every value once, by its bits: numpy does not know all formats."""
    import numpy as np

    entries, start = _entries(path)
    content = np.memmap(path, dtype=np.uint8, mode="r", offset=start)
    learnt = False
    for name, tensor in tensors.items():
        if tensor.dtype not in LAYOUTS:
            raise wrong(f"'{name}' is stored as {tensor.dtype}")
        layout, exponent, sign = LAYOUTS[tensor.dtype]
        first, last = entries[name]["data_offsets"]
        bits = content[first:last].view(layout)
        if ((bits & exponent) == exponent).any():
            raise BackendOutput("The training diverged: its weights are not numbers.", DIVERGED)
        if name.endswith(UP):
            learnt = learnt or bool((bits & (sign - 1)).any())
        if name.endswith(ALPHA) and expected.alpha is not None and tensor.dtype != "BF16":
            _check_alpha(name, float(bits.view(f"<f{bits.itemsize}").reshape(-1)[0]), expected.alpha)
    if not learnt:
        raise BackendOutput(
            "All trained weights are zero: nothing was learnt.", "Raise the learning rate or the steps, then try again."
        )


def _check_alpha(name: str, found: float, wanted: float) -> None:
    if not math.isclose(found, wanted, rel_tol=0.01):
        raise wrong(f"{name} is {found:g}, not {wanted:g}")


def _entries(path: Path) -> tuple[dict[str, dict[str, tuple[int, int]]], int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)), 8 + length
