"""The Video tab: says honestly that there is nothing yet."""

from __future__ import annotations

import gradio as gr

_TEXT = """<div class="isg-empty" id="video-note">
<div class="isg-empty-mark"><svg class="isg-icon" viewBox="0 0 24 24" aria-hidden="true">
<path d="M4 6h11v12H4zM15 10l5-3v10l-5-3"/></svg></div>
<h3>Video is in development</h3>
<p>Nothing here runs yet. What you make today will serve it: a trained character and its best pictures
are what a video will start from.</p></div>"""


def video_tab() -> None:
    """Draw the tab."""
    gr.HTML(_TEXT, apply_default_css=False, elem_classes=["isg-html"])
