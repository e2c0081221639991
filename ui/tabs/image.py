"""The Image tab: whom to draw and how on the left, pictures in the making and the gallery on the right."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from isengard.domain.request import GenerationRequest
from isengard.errors import InvalidInput
from isengard.services.house import Isengard
from ui.components import choices
from ui.components.handler import LATEST, QUIET, handled
from ui.components.image_form import MIX, SHAPES, ImageForm, image_fields
from ui.components.view import view

EDGE_STEP = 8  # what latent models need


def image_tab(isengard: Isengard) -> ImageForm:
    """Draw the tab and wire it."""
    with gr.Row(elem_classes=["isg-columns"]):
        with gr.Column(scale=2, min_width=320, elem_classes=["isg-panel"]):
            form = image_fields()
        with gr.Column(scale=3, min_width=320):
            view("making")
            view("gallery")
    _wire_choices(isengard, form)
    _wire_prompt(isengard, form)
    _wire_submit(isengard, form)
    return form


def _wire_choices(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def reveal(*picked: str) -> list[Any]:
        last = max((place for place, value in enumerate(picked) if value), default=0)
        return [gr.Row(visible=place <= last + 1) for place in range(1, MIX)]

    @handled
    def greyed(base: str, first: str) -> list[Any]:
        defaults = isengard.generation.defaults(base or _base_of(isengard, first), with_lora=bool(first))
        names = list(isengard.generation.samplers(defaults.base_model))
        return [
            gr.Textbox(placeholder=str(defaults.width)),
            gr.Textbox(placeholder=str(defaults.height)),
            gr.Textbox(placeholder=str(defaults.steps)),
            gr.Textbox(placeholder=str(defaults.guidance_scale)),
            gr.Dropdown(choices=[(f"Default ({defaults.sampler})", ""), *((name, name) for name in names)]),
        ]

    @handled
    def shaped(shape: str, base: str, first: str) -> tuple[int | None, int | None]:
        across, down = SHAPES[shape]
        if across == down:
            return None, None
        edge = isengard.generation.defaults(base or _base_of(isengard, first)).width or 0
        shorter = round(edge * min(across, down) / max(across, down) / EDGE_STEP) * EDGE_STEP
        return (edge, shorter) if across > down else (shorter, edge)

    changes = [each.change for each in form.picks]
    gr.on(changes, reveal, form.picks, form.rows[1:], **LATEST)
    target = [form.width, form.height, form.steps, form.guidance, form.sampler]
    gr.on([form.base.change, changes[0]], greyed, [form.base, form.picks[0]], target, **LATEST)
    form.shape.input(shaped, [form.shape, form.base, form.picks[0]], [form.width, form.height], **QUIET)


def _wire_prompt(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def hint(*picked: str) -> tuple[str, Any]:
        words = _triggers(isengard, picked)
        if not words:
            return "", gr.Button(interactive=False)
        shown = ", ".join(f"<code>{html.escape(word)}</code>" for word in words)
        text = f'<p class="isg-muted">The prompt brings the character back by its trigger word: {shown}</p>'
        return text, gr.Button(interactive=True)

    @handled
    def insert(prompt: str, *picked: str) -> str:
        missing = [word for word in _triggers(isengard, picked) if word.lower() not in prompt.lower()]
        if not missing:
            return prompt
        named = " and ".join(missing)
        return f"{named}, {prompt.strip()}" if prompt.strip() else f"a picture of {named}"

    gr.on([each.change for each in form.picks], hint, form.picks, [form.trigger, form.insert], **LATEST)
    form.insert.click(insert, [form.prompt, *form.picks], form.prompt, **QUIET)


def _wire_submit(isengard: Isengard, form: ImageForm) -> None:
    @handled
    def submit(*values: Any) -> None:
        isengard.generation.submit(_request(isengard, form, values))

    done = form.generate.click(submit, form.inputs, None, **QUIET)
    done.success(None, None, None, js="() => window.isengard.jobsChanged()", api_visibility="private")


def _request(isengard: Isengard, form: ImageForm, values: Sequence[Any]) -> GenerationRequest:
    read = form.read(values)
    if not read["prompt"].strip():
        raise InvalidInput("The prompt is empty.", "Say what the picture shows; the trigger word brings the character.")
    uses = [(pick, strength) for pick, strength in form.uses(values) if pick]
    if len(uses) == 1 and uses[0][0].startswith(choices.CHARACTER):
        read |= {"character_id": uses[0][0].removeprefix(choices.CHARACTER), "lora_strength": uses[0][1]}
    elif uses:
        loras = [_lora(isengard, pick) for pick, _ in uses]
        known = {value for _, value in choices.characters(isengard)}
        read["loras"] = [{"id": lora.id, "strength": use[1]} for lora, use in zip(loras, uses, strict=True)]
        read["character_id"] = loras[0].character_id if loras[0].character_id in known else None
    return GenerationRequest.model_validate(read)


def _lora(isengard: Isengard, pick: str) -> Any:
    if pick.startswith(choices.LORA):
        return isengard.loras.get(pick.removeprefix(choices.LORA))
    character = isengard.characters.get(pick.removeprefix(choices.CHARACTER))
    versions = isengard.loras.list(character.id, limit=1).items
    if not versions:
        raise InvalidInput(f"{character.name} has no LoRA any more.", "Train it in the Training tab.")
    return versions[0]


def _base_of(isengard: Isengard, pick: str) -> str:
    return str(_lora(isengard, pick).base_model) if pick else ""


def _triggers(isengard: Isengard, picked: Sequence[str]) -> list[str]:
    words = [str(_lora(isengard, pick).trigger_word) for pick in picked if pick]
    return list(dict.fromkeys(word for word in words if word))


def chosen(isengard: Isengard, picked: Sequence[str], base: str) -> list[gr.Dropdown]:
    """Return the drop-downs of LoRAs and base models with these choices."""
    loras = choices.loras(isengard)
    (first, *rest), further = picked, _further(loras)
    return [
        choices.dropdown(loras, first),
        *(choices.dropdown(further, pick) for pick in rest),
        choices.dropdown(choices.drawing(isengard), base),
    ]


def offered(isengard: Isengard, picked: Sequence[str | None], base: str | None) -> list[gr.Dropdown]:
    """Return them with what is there now; choices that still exist are left alone."""
    loras = choices.loras(isengard)
    (first, *rest), further = picked, _further(loras)
    trained = loras[1:2] or loras[:1]  # what a fresh page starts with: the newest character that has a LoRA
    return [
        choices.refreshed(loras, first, trained[0][1] if first is None else None),
        *(choices.refreshed(further, pick) for pick in rest),
        choices.refreshed(choices.drawing(isengard), base),
    ]


def _further(loras: choices.Choices) -> choices.Choices:
    return [choices.NO_MORE, *loras[1:]]
