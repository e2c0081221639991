"""Headers of .safetensors files: what is read, and what is refused with which words."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from isengard.errors import InvalidInput
from isengard.infra.weights import Tensor, read_weights

WHOLE = save({"a": np.zeros((2, 3), np.float16), "b": np.zeros((4,), np.float32)}, {"name": "one"})


def entry(shape: Any, start: Any, end: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def packed(header: object, size: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def refusal(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as told:
        read_weights(path)
    assert told.value.hint
    return told.value.message


def test_names_shapes_formats_and_metadata_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(WHOLE)
    read = read_weights(path)
    assert read.tensors == {"a": Tensor("F16", (2, 3)), "b": Tensor("F32", (4,))}
    assert read.metadata == {"name": "one"}
    assert read.shapes == {"a": (2, 3), "b": (4,)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (pickle.dumps({"weight": [1.0] * 50}), "a pickle"),
        (b"PK\x03\x04" + bytes(200), "a PyTorch file"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"GGUF" + bytes(60), "a GGUF file"),
        (bytes(64), "does not begin with a header"),
        (struct.pack("<Q", 2**62) + b"{}", "does not begin with a header"),
    ],
)
def test_a_file_of_another_type_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refusal(tmp_path, content)


@pytest.mark.parametrize("size", [9, 40, len(WHOLE) - 1])
def test_a_cut_off_file_is_refused(tmp_path: Path, size: int) -> None:
    assert "cut off" in refusal(tmp_path, WHOLE[:size])


@pytest.mark.parametrize(
    ("header", "size", "words"),
    [
        ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, 12, "overlap"),
        ({"a": entry([2], 0, 8), "b": entry([2], 12, 20)}, 20, "gaps"),
        ({"a": entry([2], 0, 8)}, 9, "belong to nothing"),
        ({"a": entry([3], 0, 8)}, 8, "has not the size"),
        ({"a": entry([-2], 0, 8)}, 8, "impossible"),
        ({"a": entry([2.0], 0, 8)}, 8, "impossible"),
        ({"a": entry([2], 0, 8, "F99")}, 8, "unknown number format"),
        ({"a": entry([2], 0, 8, ["F32"])}, 8, "not the JSON"),
        ({"a": 5}, 0, "not the JSON"),
        ({"__metadata__": {"a": 5}}, 0, "not text"),
        ({"__metadata__": ["a"]}, 0, "not the JSON"),
        (b'{"a": 1, "a": 2}', 0, "twice"),
        (b'{"a": NaN}', 0, "NaN"),
        (b'{"a": \xff}', 0, "not the JSON"),
        (b"{" + b'"a":{' * 100_000, 0, "not the JSON"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(tmp_path: Path, header: object, size: int, words: str) -> None:
    assert words in refusal(tmp_path, packed(header, size))


def test_a_missing_file_is_told_by_the_name_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^The base model's file cannot be read: No such file") as told:
        read_weights(tmp_path / "none.safetensors", "The base model's file")
    assert told.value.hint
