"""Synthetic pictures without a model: variations of the references."""

from __future__ import annotations

from isengard.plugins.protocols import PluginContext
from isengard.plugins.sources import SyntheticSource
from plugins.synthetic.augmentation import Augmentation


def backends(_context: PluginContext) -> list[SyntheticSource]:
    """Return the sources of this plugin."""
    return [Augmentation()]
