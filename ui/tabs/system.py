"""The System tab: is everything well, who takes the room, what may go, how the owner is told, what jobs cost."""

from __future__ import annotations

from ui.components.view import view


def system_tab() -> None:
    """Draw the tab; its script does everything else."""
    view("system")
