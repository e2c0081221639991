"""Puts an earlier picture back into the Image tab's form: its settings, its seed, or the picture itself."""

from __future__ import annotations

from typing import Any

import gradio as gr

from isengard.errors import IsengardError
from isengard.services.house import Isengard
from ui.components import choices
from ui.components.image_form import MIX, SHAPES, ImageForm

LARGER = 2.0  # by how much a picture is made larger unless another factor is asked for


def settings_again(isengard: Isengard, form: ImageForm, output_id: str) -> list[Any]:
    """Return values for the form's inputs and its shape that make this picture again."""
    settings = isengard.outputs.get(output_id).settings
    return [*_filled(isengard, form, settings), _shape(settings)]


def start_from(isengard: Isengard, form: ImageForm, output_id: str, upscale_by: float | None = None) -> list[Any]:
    """Return values that start from this picture: with its settings, where its base model can start from one."""
    settings = isengard.outputs.get(output_id).settings
    new = {"init_image": output_id, "upscale_by": upscale_by, "denoise": None, "width": None, "height": None}
    if _can_start(isengard, str(settings.get("base_model") or "")):
        values = _filled(isengard, form, {**settings, **new, "seed": None})
        # The seed of the picture itself would draw the same noise on top of what it drew before.
        place = form.inputs.index(form.more.seed_mode)
        return [*values[:place], "random", *values[place + 1 :], gr.skip()]
    kept = [new.get(name, gr.skip()) for name in form.named]
    return [*kept, *[gr.skip()] * (len(form.inputs) - len(kept)), gr.skip()]


def _filled(isengard: Isengard, form: ImageForm, settings: dict[str, Any]) -> list[Any]:
    uses = [(f"{choices.LORA}{use['id']}", use["strength"]) for use in settings.get("loras", ())]
    uses += [("", 1.0)] * (MIX - len(uses))
    picks = lora_choices(isengard, [pick for pick, _ in uses])
    said = {name: _escaped(settings.get(name)) for name in ("prompt", "negative_prompt")}
    return form.filled_with({**settings, **said}, picks, [strength for _, strength in uses])


def _escaped(text: str | None) -> str:
    """Keep braces that a picture was drawn with from being taken for a choice of words."""
    return (text or "").replace("{", r"\{").replace("}", r"\}")


def lora_choices(isengard: Isengard, picked: list[str]) -> list[gr.Dropdown]:
    """Return the drop-downs of LoRAs with these choices."""
    loras = choices.loras(isengard)
    first, *rest = picked
    return [choices.dropdown(loras, first), *(choices.dropdown(further(loras), pick) for pick in rest)]


def further(loras: choices.Choices) -> choices.Choices:
    """Return what can be mixed in."""
    return [choices.NO_MORE, *loras[1:]]


def _can_start(isengard: Isengard, base_model: str) -> bool:
    try:
        return "img2img" in isengard.generation.abilities(base_model).tasks
    except IsengardError:
        return False  # that base model is not here any more


def _shape(settings: dict[str, Any]) -> str:
    width, height = settings.get("width") or 1, settings.get("height") or 1
    return next(
        name
        for name, (across, down) in SHAPES.items()
        if (across > down) == (width > height) and (across < down) == (width < height)
    )
