"""The folded sections of the Image tab's form: a picture to start from, and advanced settings."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ui.components.fields import number_field
from ui.components.view import view

SEED_MODES = [("Random each time", "random"), ("Fixed", "fixed")]
OWN_WORKFLOW = ("The base model's own", "")
DEFAULT = ("Default", "")


@dataclass(frozen=True)
class StartFields:
    """A picture to start from; ``box`` is there where the base model can, ``reason`` where it cannot."""

    box: gr.Accordion
    reason: gr.HTML
    picture: gr.HTML
    how: gr.Row
    denoise: gr.Textbox
    upscale: gr.Textbox


@dataclass(frozen=True)
class AdvancedFields:
    """What most pictures need no change of."""

    base: gr.Dropdown
    workflow: gr.Dropdown
    negative: gr.Textbox
    width: gr.Textbox
    height: gr.Textbox
    steps: gr.Textbox
    guidance: gr.Textbox
    sampler: gr.Dropdown
    scheduler: gr.Dropdown
    seed_mode: gr.Radio
    seed: gr.Textbox


def start_fields() -> StartFields:
    """Draw the section; it is hidden until the base model is known to be able to use it."""
    with gr.Accordion("Start from a picture", open=False, visible=False, elem_id="image-start") as box:
        picture = view("start", value="", able=False)
        with gr.Row(visible=False) as how:
            denoise = number_field("Denoise", "0.2 keeps most of it, 1 keeps nothing.", "image-denoise")
            upscale = number_field("Upscale by", "1 to 4; empty: not made larger.", "image-upscale")
    reason = gr.HTML(apply_default_css=False, visible=False, elem_id="image-start-reason", elem_classes=["isg-html"])
    return StartFields(box, reason, picture, how, denoise, upscale)


def advanced_fields() -> AdvancedFields:
    """Draw the section."""
    with gr.Row():
        base = _choice("Base model", "It has to fit the LoRA.", "image-base")
        workflow = _choice("Workflow", "How it is made, step by step.", "image-workflow", OWN_WORKFLOW, visible=False)
    negative = gr.Textbox(
        label="Negative prompt", lines=1, info="What should not be in the picture.", elem_id="image-negative"
    )
    with gr.Row():
        width = number_field("Width", "In pixels, a multiple of 8.", "image-width")
        height = number_field("Height", "In pixels, a multiple of 8.", "image-height")
    with gr.Row():
        steps = number_field("Steps", "More is finer and slower.", "image-steps")
        guidance = number_field("Guidance", "How closely it keeps to the prompt.", "image-guidance")
    with gr.Row():
        sampler = _choice("Sampler", "How noise becomes a picture.", "image-sampler", DEFAULT)
        scheduler = _choice("Scheduler", "How noise falls over the steps.", "image-scheduler", DEFAULT, visible=False)
    with gr.Row():
        seed_mode = gr.Radio(
            SEED_MODES,
            value="random",
            label="Seed",
            info="A fixed one makes the same picture again.",
            min_width=200,
            elem_id="image-seed-mode",
        )
        seed = number_field("Fixed seed", "0 to 4294967295.", "image-seed", visible=False)
    return AdvancedFields(base, workflow, negative, width, height, steps, guidance, sampler, scheduler, seed_mode, seed)


def _choice(
    label: str, info: str, elem_id: str, first: tuple[str, str] | None = None, *, visible: bool = True
) -> gr.Dropdown:
    return gr.Dropdown(
        [first] if first else [],
        value="",
        label=label,
        info=info,
        allow_custom_value=True,
        min_width=140,
        visible=visible,
        elem_id=elem_id,
    )
