"""The screen: a Gradio app that holds no state and decides nothing."""

from ui.screen import build_ui
from ui.theme import mount_options

__all__ = ["build_ui", "mount_options"]
