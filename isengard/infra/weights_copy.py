"""Copies of .safetensors files: as they are, or with more metadata in the header and the same tensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path

BLOCK = 1 << 20
TRAINERS_OWN = ("ss_base_model_version", "modelspec.architecture")  # names that a trainer's own tools look for
MODEL_HASH = "sshs_model_hash"  # by which other tools recognise a LoRA: kohya-ss/sd-scripts, library/train_util.py


def copy_weights(source: Path, target: Path, more: Mapping[str, str] | None = None) -> str:
    """Copy a file and return the sha256 of the copy.

    With ``more`` it must be a .safetensors file, and says these things too; its tensors stay byte for byte.
    """
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        if more is not None:
            start = _completed(reader, more)
            digest.update(start)
            writer.write(start)
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
    return digest.hexdigest()


def _completed(reader: BufferedReader, more: Mapping[str, str]) -> bytes:
    """Return the length and header to write; leave the reader at the first tensor."""
    length = int.from_bytes(reader.read(8), "little")
    header = json.loads(reader.read(length))
    written = header.get("__metadata__", {})
    said = {**written, **more, **{name: written[name] for name in TRAINERS_OWN if name in written}}
    said.setdefault(MODEL_HASH, hashlib.file_digest(reader, "sha256").hexdigest())
    reader.seek(8 + length)
    text = json.dumps({**header, "__metadata__": said}, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight, as the format's own writer does it
    return len(text).to_bytes(8, "little") + text
