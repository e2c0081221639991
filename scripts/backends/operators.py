"""Stands in for torchvision's compiled operators where its wheel was built for another torch.

scripts/setup_backends puts it into ComfyUI's own environment as ``sitecustomize.py``, only where importing torchvision
fails for want of them. Images are drawn without these operators (they belong to object detection); all that is needed
is that they have names. Importing torch waits until torchvision is asked for, so that other programs start as fast as
before.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MISSING = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class Operators(importlib.abc.MetaPathFinder):
    """Names the operators just before torchvision is imported, and finds no module itself."""

    def __init__(self) -> None:
        self.library: Any = None  # the names last as long as this does

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """Return None: the module is found where it always is."""
        if name == "torchvision" and self.library is None:
            import torch

            self.library = torch.library.Library("torchvision", "DEF")
            for operator in MISSING:
                self.library.define(operator)
        return None


sys.meta_path.insert(0, Operators())
