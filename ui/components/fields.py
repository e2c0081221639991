"""Fields that several tabs draw."""

from __future__ import annotations

import gradio as gr


def number_field(label: str, info: str, elem_id: str, *, visible: bool = True) -> gr.Textbox:
    """Return a field for a number that may stay empty; Gradio's own number field makes a zero of nothing."""
    return gr.Textbox(
        label=label,
        info=info,
        lines=1,
        max_lines=1,
        min_width=140,
        visible=visible,
        html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
        elem_id=elem_id,
    )
