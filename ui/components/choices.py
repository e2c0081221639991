"""What drop-downs offer, read from the services each time."""

from __future__ import annotations

import html

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
    versions = isengard.loras.list(limit=LISTED).items
    newest: dict[str, Lora] = {}
    for lora in versions:
        newest.setdefault(lora.character_id, lora)
    known = {one.id: one.name for one in isengard.characters.list(limit=LISTED).items}
    people = [
        (f"{known[owner]} (newest: {lora.version})", f"{CHARACTER}{owner}")
        for owner, lora in newest.items()
        if owner in known
    ]
    return [ALONE, *people, *((lora.label.strip(), f"{LORA}{lora.id}") for lora in versions)]


def trainable(isengard: Isengard) -> Choices:
    """List base models that can be trained on here."""
    return [(model.row.name, model.row.id) for model in isengard.models.list().items if model.can_train]


def drawing(isengard: Isengard) -> Choices:
    """List base models that can generate here, after the choice to leave it to the LoRA."""
    here = [(model.row.name, model.row.id) for model in isengard.models.list().items if model.can_generate]
    return [("The LoRA's own, else the best one here", ""), *here]


def valid(chosen: str | None, choices: Choices) -> str:
    """Keep a choice that is still offered, else take the first; empty when there is none."""
    offered = [value for _, value in choices]
    if chosen is not None and chosen in offered:
        return chosen
    return offered[0] if offered else ""


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
