"""The Models tab: every model of the registry, what is here of it, and fetching the rest."""

from __future__ import annotations

from ui.components.view import view


def models_tab() -> None:
    """Draw the tab; its script does everything else."""
    view("models")
