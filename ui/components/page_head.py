"""The head of the page and the job drawer, which every tab sees."""

from __future__ import annotations

import gradio as gr

from ui.components.view import view

_HEAD = """<header class="isg-head"><svg class="isg-logo" viewBox="0 0 40 40" aria-hidden="true">
<rect width="40" height="40" rx="11"/><path d="M20 7l4 6-1.500 3v13l4 3v2h-13v-2l4-3V16L16 13z"/></svg>
<div><h1>Isengard</h1><p>From photos to a LoRA to pictures</p></div></header>"""


_LOG_OUT = """<form class="isg-log-out" method="post" action="logout">
<button class="isg-btn quiet small" type="submit">Log out</button></form>"""


def page_head(*, guarded: bool) -> gr.HTML:
    """Draw head, status and drawer; return the bridge by which the script speaks to Gradio's forms."""
    with gr.Row(elem_id="page-head"):
        gr.HTML(_HEAD, apply_default_css=False, elem_classes=["isg-html"])
        view("status")
        bridge = view("bridge")
    with gr.Sidebar(label="Jobs", open=False, position="right", width=380, elem_id="jobs-drawer"):
        view("drawer")
        if guarded:
            gr.HTML(_LOG_OUT, apply_default_css=False, elem_classes=["isg-html"])
    return bridge
