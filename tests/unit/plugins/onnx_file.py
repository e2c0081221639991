"""Writes a tiny ONNX net by hand: it averages a picture's channels, so that what went in can be read off.

Field numbers are those of onnx.proto (github.com/onnx/onnx); wire format is protobuf's.
"""

from __future__ import annotations

from pathlib import Path

FLOAT = 1


def averaging_net(path: Path) -> Path:
    """Write a net with the input and output of an ArcFace net, (1, 3, 112, 112) to (1, 3)."""
    nodes = [_node("GlobalAveragePool", "input.1", "pooled"), _node("Flatten", "pooled", "683")]
    graph = b"".join(_field(1, node) for node in nodes)
    graph += (
        _field(2, b"averages") + _field(11, _value("input.1", (1, 3, 112, 112))) + _field(12, _value("683", (1, 3)))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 13)))
    return path


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _node(kind: str, taken: str, given: str) -> bytes:
    return _field(1, taken.encode()) + _field(2, given.encode()) + _field(3, given.encode()) + _field(4, kind.encode())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_field(1, _number(1, size)) for size in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, FLOAT) + _field(2, sizes)))
