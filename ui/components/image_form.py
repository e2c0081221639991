"""The fields of the Image tab: who, what and which shape first, all else in folded sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr

from ui.components.compare import CompareForm, FilledAxis, compare_fields
from ui.components.image_sections import AdvancedFields, StartFields, advanced_fields, start_fields
from ui.components.view import view

MIX = 8  # LoRAs that a generation takes at most
SHAPES = {"Square": (1, 1), "Portrait": (3, 4), "Landscape": (4, 3)}


class Filled(NamedTuple):
    """What was filled in: ``named`` by name in GenerationRequest, without empty fields, so that defaults apply."""

    named: dict[str, Any]
    uses: list[tuple[str, float]]
    each_line: bool = False
    axes: tuple[FilledAxis, ...] = ()

    @property
    def prompts(self) -> list[str]:
        """The prompts of the jobs to come: the whole text, or each of its lines."""
        text = str(self.named.get("prompt", ""))
        return [line.strip() for line in text.splitlines() if line.strip()] if self.each_line else [text]


@dataclass(frozen=True)
class ImageForm:
    """All fields; ``rows[i]`` holds ``picks[i]`` and ``strengths[i]``."""

    rows: list[gr.Row]
    picks: list[gr.Dropdown]
    strengths: list[gr.Number]
    prompt: gr.Textbox
    trigger: gr.HTML
    each_line: gr.Checkbox
    shape: gr.Radio
    pictures: gr.Number
    generate: gr.Button
    start: StartFields
    compare: CompareForm
    more: AdvancedFields

    @property
    def named(self) -> dict[str, Any]:
        """Fields by their name in GenerationRequest."""
        return {
            "prompt": self.prompt,
            "negative_prompt": self.more.negative,
            "count": self.pictures,
            "width": self.more.width,
            "height": self.more.height,
            "steps": self.more.steps,
            "guidance_scale": self.more.guidance,
            "sampler": self.more.sampler,
            "scheduler": self.more.scheduler,
            "seed": self.more.seed,
            "base_model": self.more.base,
            "workflow": self.more.workflow,
            "init_image": self.start.picture,
            "denoise": self.start.denoise,
            "upscale_by": self.start.upscale,
        }

    @property
    def inputs(self) -> list[Any]:
        """In the order that ``read`` expects and ``filled_with`` returns."""
        switches = [self.each_line, self.more.seed_mode]
        return [*self.named.values(), *self.picks, *self.strengths, *switches, *self.compare.inputs]

    def read(self, values: Sequence[Any]) -> Filled:
        """Return what was filled in."""
        given = iter(values)
        named = {name: value for name, value in zip(self.named, given, strict=False) if value not in (None, "")}
        picks = [next(given) for _ in range(MIX)]
        strengths = [next(given) for _ in range(MIX)]
        each_line, seed_mode, *axes = given
        if seed_mode == "random":
            named.pop("seed", None)
        uses = [(pick, 1.0 if s is None else s) for pick, s in zip(picks, strengths, strict=True) if pick]
        return Filled(named, uses, bool(each_line), (FilledAxis(*axes[:3]), FilledAxis(*axes[3:])))

    def filled_with(self, settings: Mapping[str, Any], picks: Sequence[Any], strengths: Sequence[float]) -> list[Any]:
        """Return values for ``inputs`` that make one picture of these settings again, with its seed."""
        empty = {"sampler": "", "scheduler": "", "workflow": "", "init_image": ""}
        values = {**settings, "count": 1}
        named = [values.get(name) or empty.get(name) if name in empty else values.get(name) for name in self.named]
        no_axis = ["", "", []]
        return [*named, *picks, *strengths, False, "fixed", *no_axis, *no_axis]


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
    trigger = view("trigger", value=[])
    view("wildcards")
    each_line = gr.Checkbox(value=False, label="Each line is a prompt of its own", elem_id="image-each-line")
    with gr.Row():
        shape = gr.Radio(list(SHAPES), value="Square", label="Shape", elem_id="image-shape", min_width=240)
        pictures = gr.Number(1, label="Pictures", precision=0, min_width=90, elem_id="image-count", scale=0)
    generate = gr.Button("Generate", variant="primary", elem_id="image-generate")
    start = start_fields()
    with gr.Accordion("Compare settings in a grid", open=False, elem_id="image-compare"):
        compare = compare_fields()
    with gr.Accordion("Advanced settings", open=False, elem_id="image-advanced"):
        more = advanced_fields()
    view("backends")
    return ImageForm(
        rows, picks, strengths, prompt, trigger, each_line, shape, pictures, generate, start, compare, more
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
