"""The licence report tells free licences from others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from licences import FREE, kinds, tree


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("MIT", {"MIT"}),
        ("Apache Software License", {"Apache-2.0"}),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", {"MPL-2.0", "Apache-2.0"}),
        ("GPL-3.0-only OR MIT", {"MIT"}),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", {"BSD", "MIT", "Zlib, BSL, CC0"}),
    ],
)
def test_free_licences_are_known_by_their_names(text: str, found: set[str]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    "text", ["GPL-3.0-or-later", "MIT AND AGPL-3.0", "unknown", "Proprietary", "MITX", "CC-BY-NC-4.0"]
)
def test_others_are_not(text: str) -> None:
    assert not kinds(text) <= FREE.keys()


def test_it_walks_the_whole_tree() -> None:
    assert {"gradio", "starlette", "torch", "safetensors", "itsdangerous"} <= tree("isengard").keys()
