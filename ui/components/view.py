"""A place in the page that our own script draws into, from the REST API."""

from __future__ import annotations

from typing import Any

import gradio as gr

_READY = "(window.isengardViews ??= []).push({{view: '{name}', element, trigger, props, watch}});"


def view(name: str, *, waiting: str = "", value: Any = None, **props: Any) -> gr.HTML:
    """Return the place for ``views[name]`` of the script; ``waiting`` is shown until it is drawn.

    ``value`` and ``props`` are what Python and the script tell each other; neither is part of the markup.
    """
    return gr.HTML(
        value=value,
        html_template=f'<div class="isg-view" aria-busy="true">{waiting}</div>',
        js_on_load=_READY.format(name=name),
        apply_default_css=False,
        elem_id=f"{name}-view",
        elem_classes=["isg-html"],
        **props,
    )
