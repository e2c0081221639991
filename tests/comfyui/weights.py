"""Writes safetensors files whose zeros take no room: real names and shapes, seeded values, holes for zeros."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTES = {"F16": 2, "F8_E4M3": 1}
ROWS, STRIPE = 64, 12


@dataclass(frozen=True)
class Tensor:
    """A tensor to write: normal values of this spread around this mean, or one value everywhere when spread is 0."""

    shape: tuple[int, ...]
    spread: float = 0.0
    mean: float = 0.0
    kind: str = "F16"
    striped: bool = False  # only one in STRIPE runs of 64 rows has values

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * BYTES[self.kind]

    def parts(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield place in the tensor and bytes there; the same name always gives the same values."""
        if not self.spread and not self.mean:
            return
        random = np.random.default_rng(zlib.crc32(name.encode()))
        make = self._small if self.kind == "F8_E4M3" else self._half
        row = math.prod(self.shape[1:])
        for number, first in enumerate(range(0, self.shape[0] if self.shape else 1, ROWS)):
            if not self.striped or number % STRIPE == 0:
                rows = min(ROWS, self.shape[0] - first) if self.shape else 1
                yield first * row * BYTES[self.kind], make(random, rows * row).tobytes()

    def _half(self, random: np.random.Generator, count: int) -> NDArray[np.generic]:
        values = random.standard_normal(count, dtype=np.float32) if self.spread else np.zeros(count, np.float32)
        return (values * self.spread + self.mean).astype(np.float16)

    def _small(self, random: np.random.Generator, count: int) -> NDArray[np.generic]:
        """Return bytes of 8-bit floats: ±0.25 to ±2 for any spread, or 1.0 (0x38) for mean 1."""
        if not self.spread:
            return np.full(count, 0x38 if self.mean else 0, np.uint8)
        bits = random.integers(0, 256, count, dtype=np.uint8)
        return (bits & 0x87) | ((5 + (bits >> 3) % 3) << 3).astype(np.uint8)


def noise(*shape: int, gain: float = 1.0) -> Tensor:
    """A weight that keeps the size of what passes through it: spread gain / sqrt(inputs)."""
    return Tensor(shape, gain / math.sqrt(math.prod(shape[1:])))


def zeros(*shape: int) -> Tensor:
    """A tensor that takes no room on the disk."""
    return Tensor(shape)


def ones(*shape: int) -> Tensor:
    """The weight of a norm that changes nothing."""
    return Tensor(shape, mean=1.0)


def write(path: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write a safetensors file, whole or not at all, unless it is there already."""
    if path.is_file():
        return path
    header: dict[str, dict[str, Any]] = {}
    end = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": [end, end + tensor.size]}
        end += tensor.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, tensor in tensors.items():
            start = 8 + len(text) + header[name]["data_offsets"][0]
            for place, part in tensor.parts(name):
                file.seek(start + place)
                file.write(part)
        file.truncate(8 + len(text) + end)
    unfinished.replace(path)
    return path
