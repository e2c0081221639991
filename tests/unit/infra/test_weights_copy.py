"""Metadata is added to a file without touching a tensor; archives are streamed whole."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from isengard.infra.weights_copy import copy_weights
from isengard.infra.zip_stream import zip_stream


def test_metadata_is_added_and_the_tensors_stay(tmp_path: Path) -> None:
    tensors = {f"t{n}": np.random.default_rng(n).normal(size=(n + 1, 3)).astype(np.float16) for n in range(5)}
    save_file(tensors, tmp_path / "a.safetensors", {"ss_output_name": "old", "software": "kept"})
    digest = copy_weights(tmp_path / "a.safetensors", tmp_path / "b.safetensors", {"ss_output_name": "Zoë", "x": "1"})
    content = (tmp_path / "b.safetensors").read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()
    after = load_file(tmp_path / "b.safetensors")
    assert all((after[name] == tensor).all() for name, tensor in tensors.items())
    with safe_open(tmp_path / "b.safetensors", "np") as file:
        told = file.metadata()
    body = content[8 + int.from_bytes(content[:8], "little") :]
    assert told.pop("sshs_model_hash") == hashlib.sha256(body).hexdigest()
    assert told == {"ss_output_name": "Zoë", "software": "kept", "x": "1"}
    assert (len(content) - len(body)) % 8 == 0


def test_a_plain_copy_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"anything")
    assert copy_weights(tmp_path / "a", tmp_path / "b") == hashlib.sha256(b"anything").hexdigest()
    assert (tmp_path / "b").read_bytes() == b"anything"


def test_an_archive_is_sent_in_pieces_and_opens(tmp_path: Path) -> None:
    large = np.random.default_rng(0).bytes(5 * 2**20 + 1)
    (tmp_path / "large").write_bytes(large)
    pieces = list(zip_stream({"a/ü.json": b"{}", "a/large": tmp_path / "large"}))
    assert max(map(len, pieces)) < 2 * 2**20
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {"a/ü.json": b"{}", "a/large": large}
