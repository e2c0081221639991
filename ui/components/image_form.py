"""The fields of the Image tab, and how their values are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.components.fields import number_field

MIX = 8  # LoRAs that a generation takes at most
SHAPES = {"Square": (1, 1), "Portrait": (3, 4), "Landscape": (4, 3)}


@dataclass(frozen=True)
class ImageForm:
    """All fields; ``rows[i]`` holds ``picks[i]`` and ``strengths[i]``."""

    rows: list[gr.Row]
    picks: list[gr.Dropdown]
    strengths: list[gr.Number]
    trigger: gr.HTML
    insert: gr.Button
    prompt: gr.Textbox
    negative: gr.Textbox
    shape: gr.Radio
    pictures: gr.Number
    width: gr.Textbox
    height: gr.Textbox
    steps: gr.Textbox
    guidance: gr.Textbox
    sampler: gr.Dropdown
    seed: gr.Textbox
    base: gr.Dropdown
    generate: gr.Button

    @property
    def named(self) -> dict[str, Any]:
        """Fields by their name in GenerationRequest."""
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative,
            "count": self.pictures,
            "width": self.width,
            "height": self.height,
            "steps": self.steps,
            "guidance_scale": self.guidance,
            "sampler": self.sampler,
            "seed": self.seed,
            "base_model": self.base,
        }

    @property
    def inputs(self) -> list[Any]:
        """In the order that ``read`` and ``uses`` expect."""
        return [*self.named.values(), *self.picks, *self.strengths]

    def read(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return what was filled in, by name; empty fields are left out, so that defaults apply."""
        read = {name: value for name, value in zip(self.named, values, strict=False) if value not in (None, "")}
        return {"prompt": "", **read}

    def uses(self, values: Sequence[Any]) -> Iterator[tuple[str, float]]:
        """Yield each row's pick and strength."""
        first = len(self.named)
        yield from zip(values[first : first + MIX], values[first + MIX : first + 2 * MIX], strict=True)


def image_fields() -> ImageForm:
    """Draw the form."""
    rows, picks, strengths = _loras()
    prompt = gr.Textbox(
        label="Prompt",
        lines=3,
        placeholder="a picture of ohwx person in a garden",
        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
        elem_id="image-prompt",
    )
    trigger = gr.HTML(apply_default_css=False, elem_id="image-trigger", elem_classes=["isg-html"])
    insert = gr.Button("Insert trigger word", size="sm", interactive=False, elem_id="image-insert")
    negative = gr.Textbox(
        label="Negative prompt", lines=1, info="What should not be in the picture.", elem_id="image-negative"
    )
    with gr.Row():
        shape = gr.Radio(list(SHAPES), value="Square", label="Shape", elem_id="image-shape", min_width=240)
        pictures = gr.Number(1, label="Pictures", precision=0, min_width=90, elem_id="image-count", scale=0)
    generate = gr.Button("Generate", variant="primary", elem_id="image-generate")
    with gr.Accordion("Advanced settings", open=False, elem_id="image-advanced"):
        rest = _advanced()
    return ImageForm(
        rows, picks, strengths, trigger, insert, prompt, negative, shape, pictures, generate=generate, **rest
    )


def _loras() -> tuple[list[gr.Row], list[gr.Dropdown], list[gr.Number]]:
    rows, picks, strengths = [], [], []
    for place in range(MIX):
        with gr.Row(visible=place == 0, elem_classes=["isg-lora-row"]) as row:
            picks.append(
                gr.Dropdown(
                    [],
                    value="" if place else None,
                    label="Character or LoRA" if place == 0 else f"LoRA {place + 1} to mix in",
                    allow_custom_value=True,
                    min_width=180,
                    scale=3,
                    elem_id=f"image-lora-{place + 1}",
                )
            )
            strengths.append(
                gr.Number(1.0, label="Strength", step=0.1, min_width=86, scale=1, elem_id=f"image-strength-{place + 1}")
            )
        rows.append(row)
    return rows, picks, strengths


def _advanced() -> dict[str, Any]:
    with gr.Row():
        width = number_field("Width", "In pixels, a multiple of 8.", "image-width")
        height = number_field("Height", "In pixels, a multiple of 8.", "image-height")
    with gr.Row():
        steps = number_field("Steps", "More is finer and slower.", "image-steps")
        guidance = number_field("Guidance", "How closely it keeps to the prompt.", "image-guidance")
    with gr.Row():
        sampler = gr.Dropdown(
            [("Default", "")],
            value="",
            label="Sampler",
            info="How noise becomes a picture.",
            allow_custom_value=True,
            min_width=140,
            elem_id="image-sampler",
        )
        seed = number_field("Seed", "Empty: a new one each time.", "image-seed")
    base = gr.Dropdown(
        [],
        value="",
        label="Base model",
        info="A LoRA fits the model that it was trained on.",
        allow_custom_value=True,
        elem_id="image-base",
    )
    return {
        "width": width,
        "height": height,
        "steps": steps,
        "guidance": guidance,
        "sampler": sampler,
        "seed": seed,
        "base": base,
    }
