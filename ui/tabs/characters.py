"""The Characters tab: drawn by the script from the REST API, since most of it is pictures and uploads."""

from __future__ import annotations

from ui.components.view import view


def characters_tab() -> None:
    """Draw the tab."""
    view("characters", waiting='<p class="isg-muted">Loading characters…</p>')
