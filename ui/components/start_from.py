"""Where a training begins: from nothing, or from a version that it goes on from."""

from __future__ import annotations

import gradio as gr

from isengard.services.house import Isengard
from isengard.services.loras import IMPORTED
from ui.components import choices

NOTHING = ("Nothing: a new LoRA", "")


def start_field() -> gr.Dropdown:
    """Draw the drop-down; it lists the versions of the character that is chosen, and those taken in from files."""
    return gr.Dropdown(
        [NOTHING],
        value="",
        label="Start from",
        info="A version keeps what it has learnt; its base model and rank stay.",
        allow_custom_value=True,
        elem_id="training-start-from",
    )


def starts(isengard: Isengard, character: str | None, start: str | None) -> gr.Dropdown:
    """Return the versions that a character's training can go on from; a choice that is still there stays."""
    return choices.refreshed(_offers(isengard, character), start or "")


def base_of(isengard: Isengard, start: str) -> str:
    """Return the base model that a version was trained on."""
    return isengard.loras.get(start).base_model


def going_on(isengard: Isengard, lora_id: str) -> list[gr.Dropdown]:
    """Return character, base model and start as a training that goes on from a version has them."""
    lora = isengard.loras.get(lora_id)
    people = choices.characters(isengard)
    known = lora.character_id in [value for _, value in people]
    return [
        gr.Dropdown(choices=people, value=lora.character_id) if known else gr.skip(),
        gr.Dropdown(value=lora.base_model),
        gr.Dropdown(choices=_offers(isengard, lora.character_id), value=lora.id),
    ]


def _offers(isengard: Isengard, character: str | None) -> choices.Choices:
    owners = [character, IMPORTED] if character and character != IMPORTED else [IMPORTED]
    found = [lora for owner in owners for lora in isengard.loras.list(owner).items]
    return [NOTHING, *((lora.label, lora.id) for lora in found)]
