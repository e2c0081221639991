"""What drop-downs offer, read from the services each time."""

from __future__ import annotations

import html
from collections.abc import Sequence

import gradio as gr

from isengard.domain.base_model import BaseModelRow
from isengard.domain.lora import Lora
from isengard.services.house import Isengard

Choices = list[tuple[str, str]]
LISTED = 200
CHARACTER, LORA = "character:", "lora:"
ALONE = ("No LoRA: the base model alone", "")
NO_MORE = ("None", "")


def characters(isengard: Isengard) -> Choices:
    """List characters by name and number of pictures."""
    page = isengard.characters.list(limit=LISTED)
    return [(f"{one.name} ({one.image_count} pictures)", one.id) for one in page.items]


def loras(isengard: Isengard) -> Choices:
    """List no LoRA, then each character's newest version, then every version."""
    every = versions(isengard)
    newest: dict[str, Lora] = {}
    for lora in every:
        newest.setdefault(lora.character_id, lora)
    known = {one.id: one.name for one in isengard.characters.list(limit=LISTED).items}
    people = [
        (f"{known[owner]} (newest: {lora.version})", f"{CHARACTER}{owner}")
        for owner, lora in newest.items()
        if owner in known
    ]
    return [ALONE, *people, *((lora.label.strip(), f"{LORA}{lora.id}") for lora in every)]


def versions(isengard: Isengard) -> Sequence[Lora]:
    """Return every LoRA version, newest first."""
    return isengard.loras.list(limit=LISTED).items


def trainable(isengard: Isengard) -> Choices:
    """List base models that can be trained on here."""
    return [(model.row.name, model.row.id) for model in isengard.models.list().items if model.can_train]


def drawing(isengard: Isengard) -> Choices:
    """List base models that can generate here, after the choice to leave it to the LoRA."""
    here = [(model.row.name, model.row.id) for model in isengard.models.list().items if model.can_generate]
    return [("The LoRA's own, else the best one here", ""), *here]


def dropdown(offers: Choices, chosen: str | None) -> gr.Dropdown:
    """Return a drop-down with these offers and a choice; with the first offer when the choice is none of them."""
    return gr.Dropdown(choices=offers, value=chosen if _among(offers, chosen) else _first(offers))


def refreshed(offers: Choices, present: str | None, fallback: str | None = None) -> gr.Dropdown:
    """Return new offers for a drop-down. Its choice is touched only when it is not offered any more.

    A person may choose something else before this arrives: sending the present choice along would undo that.
    """
    if _among(offers, present):
        return gr.Dropdown(choices=offers)
    return gr.Dropdown(choices=offers, value=_first(offers) if fallback is None else fallback)


def _among(offers: Choices, value: str | None) -> bool:
    return value is not None and value in [offered for _, offered in offers]


def _first(offers: Choices) -> str:
    return offers[0][1] if offers else ""


def licence(row: BaseModelRow) -> str:
    """Return a note about a base model: what it is for, its licence, what it is not."""
    use = "Commercial use is allowed." if row.commercial_use else "No commercial use."
    link = html.escape(row.license)
    if row.license_url.startswith("https://"):
        link = f'<a href="{html.escape(row.license_url)}" target="_blank" rel="noopener">{link}</a>'
    return (
        f'<div class="isg-note"><p>{html.escape(row.purpose)}</p>'
        f"<p>Licence: {link}. {use} Native size {row.resolution} pixels.</p></div>"
    )
