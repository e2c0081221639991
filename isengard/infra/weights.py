"""What a .safetensors file says of itself: names, shapes and metadata out of its header; loads no tensor."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from isengard.errors import InvalidInput

MAX_HEADER_BYTES = 100_000_000  # the format's own limit: huggingface/safetensors README
BITS = {  # of one element, by dtype; huggingface/safetensors, safetensors/src/tensor.rs
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
DISGUISES = {  # first bytes of what is at times saved under a wrong name
    b"PK\x03\x04": "a PyTorch file (.pt, .ckpt), which can run programs when it is opened",
    b"\x80": "a pickle (.pt, .ckpt), which can run programs when it is opened",
    b"GGUF": "a GGUF file",
    b"version https://git-lfs": "a Git LFS pointer, not the file that it points to",
    b"<": "a web page, not the file that was asked for",
    b"{": "plain JSON",
}
AGAIN = "Download or export it again; only whole .safetensors files are accepted."


class Tensor(NamedTuple):
    """One tensor as its header describes it; ``dtype`` as the format spells it, such as ``BF16``."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Weights:
    """Header of one file: tensors by name, and the free text that its maker left."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}


def read_weights(path: Path, called: str = "This file") -> Weights:
    """Read the header of a .safetensors file and check it against the file's size.

    Raises InvalidInput where the file is missing, cut off, of another type, or says what cannot be;
    ``called`` begins its sentence.
    """
    try:
        return _read(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidInput(f"{called} cannot be read: {reason}.", "Check that it is there and may be read.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"{called} is not a readable .safetensors file: {_words(error)}.", AGAIN) from error


def _words(error: Exception) -> str:
    if isinstance(error, _Flaw):
        return str(error)
    return "its header is not the JSON that the format asks for"


class _Flaw(ValueError):
    """A fault of the file, in words for people."""


def _read(path: Path) -> Weights:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(32)
        length = int.from_bytes(start[:8], "little")
        _check_start(start, length, size)
        file.seek(8)
        text = file.read(length)
    parsed = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    metadata = parsed.pop("__metadata__", {})
    if not all(isinstance(value, str) for value in metadata.values()):
        raise _Flaw("its metadata is not text")
    spans = {name: _tensor(name, entry) for name, entry in parsed.items()}
    _check_spans([span for _, span in spans.values()], size - 8 - length)
    return Weights({name: tensor for name, (tensor, _) in spans.items()}, metadata)


def _check_start(start: bytes, length: int, size: int) -> None:
    if not size:
        raise _Flaw("it is empty")
    plausible = 2 <= length <= MAX_HEADER_BYTES and start[8:9] == b"{"
    if not plausible:
        disguise = next((told for first, told in DISGUISES.items() if start.startswith(first)), "")
        raise _Flaw(f"it is {disguise}" if disguise else "it does not begin with a header")
    if 8 + length > size:
        raise _Flaw(f"it is cut off inside its header, {size:,} bytes long")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Flaw("its header names something twice")
    return found


def _no_constant(name: str) -> None:
    raise _Flaw(f"its header holds {name}")


def _tensor(name: str, entry: dict[str, Any]) -> tuple[Tensor, tuple[int, int]]:
    dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if dtype not in BITS:
        raise _Flaw(f"'{name}' has an unknown number format")
    if not all(type(n) is int and n >= 0 for n in (*shape, start, end)):
        raise _Flaw(f"'{name}' has an impossible shape or place")
    if (end - start) * 8 != prod(shape) * BITS[dtype]:
        raise _Flaw(f"'{name}' has not the size that its shape asks for")
    return Tensor(dtype, shape), (start, end)


def _check_spans(spans: list[tuple[int, int]], size: int) -> None:
    """Check that the tensors lie side by side and fill the file, as the format asks."""
    spans.sort()
    edges = [(0, 0), *spans]
    end = edges[-1][1]
    if any(later[0] < earlier[1] for earlier, later in pairwise(edges)):
        raise _Flaw("its tensors overlap")
    if any(later[0] != earlier[1] for earlier, later in pairwise(edges)):
        raise _Flaw("there are gaps between its tensors")
    if end > size:
        raise _Flaw(f"it is cut off: {size:,} of {end:,} bytes of its tensors are there")
    if end < size:
        raise _Flaw(f"{size - end:,} bytes behind its last tensor belong to nothing")
