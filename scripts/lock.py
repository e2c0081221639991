"""Writes constraints.txt: the exact version of every package in the present environment."""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

OWN = {"isengard", "pip", "setuptools", "wheel"}
HEAD = """\
# Exact versions of everything Isengard and its tests use. Written by scripts/lock.py; do not edit.
# What torch brings beside itself on a machine with an NVIDIA GPU is pinned by torch.
"""


def pins() -> list[str]:
    """Return one ``name==version`` a package, without local build labels such as ``+cpu``."""
    found = {dist.name.lower().replace("_", "-"): dist.version.partition("+")[0] for dist in distributions()}
    return [f"{name}=={version}" for name, version in sorted(found.items()) if name not in OWN]


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[1] / "constraints.txt"
    lines = pins()
    target.write_text(HEAD + "\n".join(lines) + "\n")
    sys.stdout.write(f"{target.name}: {len(lines)} packages\n")
