"""The fields of a comparison grid, and how what is written there becomes its axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr

from isengard.domain.request import GenerationRequest, Grid, GridAxis
from isengard.errors import InvalidInput

NOTHING = ("Nothing", "")
PICKED = ("lora", "sampler", "scheduler")  # chosen from a list; values of the other settings are written


class Setting(NamedTuple):
    """A setting that a grid can change."""

    label: str
    read: Callable[[str], str | int | float]
    example: str


SETTINGS = {
    "lora": Setting("LoRA version", str, ""),
    "lora_strength": Setting("LoRA strength", float, "0.6, 0.8, 1"),
    "steps": Setting("Steps", int, "8, 12, 20"),
    "guidance_scale": Setting("Guidance", float, "2, 4, 6"),
    "seed": Setting("Seed", int, "1, 2, 3"),
    "prompt": Setting("Prompt words", str, "garden, beach, snow"),
    "sampler": Setting("Sampler", str, ""),
    "scheduler": Setting("Scheduler", str, ""),
}


class FilledAxis(NamedTuple):
    """What a person filled in for one axis."""

    field: str = ""
    text: str = ""
    picked: Sequence[str] = ()

    @property
    def values(self) -> list[str]:
        """The values as they stand there. A line break separates too, so that words may hold commas."""
        if not self.field:
            return []
        if self.field in PICKED:
            return list(self.picked or ())
        text = self.text or ""
        return [part.strip() for part in text.split("\n" if "\n" in text.strip() else ",") if part.strip()]


@dataclass(frozen=True)
class AxisFields:
    """One axis: what changes, and its values, written or chosen."""

    field: gr.Dropdown
    text: gr.Textbox
    picked: gr.Dropdown

    @property
    def inputs(self) -> list[Any]:
        """In the order of FilledAxis."""
        return [self.field, self.text, self.picked]


@dataclass(frozen=True)
class CompareForm:
    """Both axes, and a line that says what will come of them."""

    x: AxisFields
    y: AxisFields
    note: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """In the order that ``axes_of`` reads them."""
        return [*self.x.inputs, *self.y.inputs]


def compare_fields() -> CompareForm:
    """Draw both axes."""
    x, y = _axis("Columns", "x"), _axis("Rows", "y")
    note = gr.HTML(apply_default_css=False, elem_id="image-grid-note", elem_classes=["isg-html"])
    return CompareForm(x, y, note)


def _axis(label: str, name: str) -> AxisFields:
    with gr.Row():
        field = gr.Dropdown(
            [NOTHING, *((setting.label, key) for key, setting in SETTINGS.items())],
            value="",
            label=f"{label} change",
            min_width=150,
            scale=2,
            elem_id=f"image-grid-{name}",
        )
        text = gr.Textbox(
            label="Values",
            visible=False,
            lines=1,
            min_width=150,
            scale=3,
            html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
            elem_id=f"image-grid-{name}-values",
        )
        picked = gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            label="Values",
            visible=False,
            min_width=150,
            scale=3,
            elem_id=f"image-grid-{name}-picks",
        )
    return AxisFields(field, text, picked)


def shown(field: str, offers: Sequence[tuple[str, str]]) -> list[Any]:
    """Return the two fields of values as they suit a setting; ``offers`` are what can be chosen for it."""
    written = bool(field) and field not in PICKED
    help_text = "The first is in the prompt; the others take its place." if field == "prompt" else ""
    example = SETTINGS[field].example if field else ""
    return [
        gr.Textbox(visible=written, placeholder=example, info=help_text),
        gr.Dropdown(visible=field in PICKED, choices=list(offers), value=[], multiselect=True),
    ]


def grid_of(axes: Sequence[FilledAxis]) -> Grid | None:
    """Return the grid that was filled in, or None; raise InvalidInput when a value cannot be used."""
    made = [_axis_of(axis) for axis in axes if axis.field]
    if not made:
        return None
    grid = Grid(x=made[0], y=made[1] if len(made) > 1 else None)
    GenerationRequest(prompt="any", grid=grid)  # refuses a grid that is too large, or changes the same thing twice
    return grid


def _axis_of(axis: FilledAxis) -> GridAxis:
    setting = SETTINGS[axis.field]
    if not axis.values:
        raise InvalidInput(f"{setting.label} has no values to compare.", "Name two or more, or choose Nothing.")
    try:
        values = tuple(setting.read(value) for value in axis.values)
    except ValueError as error:
        raise InvalidInput(
            f"'{axis.text.strip()}' is no list of numbers for {setting.label}.",
            f"Write numbers with commas between them, such as {setting.example}.",
        ) from error
    return GridAxis.model_validate({"field": axis.field, "values": values})


def cells(axes: Sequence[FilledAxis]) -> int:
    """Return how many pictures the grid has, as far as it is filled in; 0 when nothing is compared."""
    counts = [len(axis.values) for axis in axes if axis.field]
    return counts[0] * (counts[1] if len(counts) > 1 else 1) if counts else 0


def summary(axes: Sequence[FilledAxis]) -> str:
    """Say what the grid will be."""
    grid = grid_of(axes)
    if grid is None:
        return ""
    columns, count = len(grid.x.values), cells(axes)
    shape = f"{_many(columns, 'column')} and {_many(count // columns, 'row')}" if grid.y else _many(columns, "column")
    seeded = any(axis.field == "seed" for axis in (grid.x, grid.y) if axis)
    return f"{shape}: {_many(count, 'picture')}{'' if seeded else ', all with the same seed'}."


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number > 1]}"
