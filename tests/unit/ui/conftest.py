"""The services as the app makes them, for what the screen asks of them."""

from __future__ import annotations

from tests.unit.services.conftest import house, made, shelve, weights, zara

__all__ = ["house", "made", "shelve", "weights", "zara"]
